package dev.prefix4j.cli;

import dev.prefix4j.frozen.FrozenModel;
import dev.prefix4j.generate.Decoding;
import dev.prefix4j.generate.Generator;
import dev.prefix4j.generate.OutputRules;
import dev.prefix4j.model.BaseModel;
import dev.prefix4j.prefix.Prefix;
import dev.prefix4j.prefix.PrefixEncoder;
import dev.prefix4j.prefix.PrefixEncoder.Reparametrization;
import dev.prefix4j.prefix.PrefixShape;
import dev.prefix4j.text.Example;
import dev.prefix4j.text.Sequences;
import dev.prefix4j.text.Tokenizer;
import dev.prefix4j.torch.Draws;
import dev.prefix4j.torch.TensorScope;
import java.util.List;
import java.util.Optional;
import org.bytedeco.pytorch.Device;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

@Command(name = "generate", description = "New tokens in a second, behind a random prefix; no output ends early.")
final class BenchGenerate extends BenchWork {
    @Option(names = "--batch-size", paramLabel = "N", defaultValue = "8", description = "Inputs side by side.")
    int batchSize;

    @Option(
            names = "--batches",
            paramLabel = "N",
            defaultValue = "3",
            description = "Batches that are timed, after one.")
    int batches;

    @Option(names = "--beams", paramLabel = "N", defaultValue = "1", description = "1: greedy.")
    int beams;

    @Option(names = "--new-tokens", paramLabel = "N", defaultValue = "40", description = "For each input.")
    int newTokens;

    BenchGenerate(Console console) {
        super(console);
    }

    @Override
    public Integer call() {
        atLeast("batch-size", batchSize, 1);
        atLeast("batches", batches, 1);
        atLeast("new-tokens", newTokens, 1);
        precision.parse();
        Decoding decoding = beams == 1 ? new Decoding.Greedy() : new Decoding.BeamSearch(beams, 1);
        Device device = runtimeOptions.start();
        List<Example> examples = dataOptions.read(data, (batches + 1) * batchSize);
        atLeast(data + ": rows", examples.size(), (batches + 1) * batchSize);
        try (TensorScope _ = new TensorScope()) {
            BaseModel gpt2 = modelOptions.load(device, console, precision.parse());
            PrefixShape shape = PrefixShape.of(prefixLength, gpt2.config());
            PrefixEncoder encoder =
                    PrefixEncoder.create(Reparametrization.DIRECT, shape, 1, device, new Draws(runtimeOptions.seed));
            try (Tokenizer tokenizer = modelOptions.tokenizer(gpt2);
                    Prefix prefix = Prefix.of(encoder, shape, device)) {
                Generator generator =
                        new Generator(precision.freezeForDecoding(gpt2, FrozenModel.Changes.NONE), Optional.of(prefix));
                double spent = 0;
                for (int batch = 0; batch <= batches; batch++) {
                    List<int[]> prompts = examples.subList(batch * batchSize, (batch + 1) * batchSize).stream()
                            .map(e -> Sequences.prompt(
                                    e.source(), tokenizer, gpt2.config().bos()))
                            .toList();
                    long start = System.nanoTime();
                    generator.generate(prompts, decoding, OutputRules.exactly(newTokens));
                    spent += batch == 0 ? 0 : seconds(start);
                }
                print(result("generate")
                        .put("beams", beams)
                        .put("batch", batchSize)
                        .put("new_tokens_per_s", (double) newTokens * batchSize * batches / spent));
            }
        }
        return Main.OK;
    }
}
