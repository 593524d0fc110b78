package dev.prefix4j.cli;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.prefix4j.InputException;
import dev.prefix4j.eval.Likelihood;
import dev.prefix4j.gpt2.Gpt2;
import dev.prefix4j.prefix.Prefix;
import dev.prefix4j.text.Example;
import dev.prefix4j.text.Sequence;
import dev.prefix4j.text.Tokenizer;
import dev.prefix4j.torch.TensorScope;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import org.bytedeco.pytorch.Device;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

@Command(name = "score", description = "Scores the targets of a data file: mean token loss and perplexity.")
final class ScoreCommand extends ConsoleCommand {
    @Mixin
    ModelOptions modelOptions;

    @Option(names = "--prefix", paramLabel = "DIR", description = "Adapter folder; none: the model alone.")
    Path prefix;

    @Option(names = "--data", paramLabel = "FILE", required = true, description = "Sources and targets.")
    Path data;

    @Option(names = "--limit", paramLabel = "N", description = "Read only the first N rows.")
    Integer limit;

    @Option(
            names = "--batch-size",
            paramLabel = "N",
            defaultValue = "20",
            description = "Sequences scored side by side.")
    int batchSize;

    @Mixin
    DataOptionsMixin dataOptions;

    @Mixin
    RuntimeOptions runtimeOptions;

    ScoreCommand(Console console) {
        super(console);
    }

    @Override
    public Integer call() {
        if (batchSize < 1) {
            throw new InputException("batch-size must be at least 1, was " + batchSize);
        }
        Device device = runtimeOptions.start();
        List<Example> examples = dataOptions.read(data, limit);
        try (TensorScope _ = new TensorScope()) {
            Gpt2 model = modelOptions.load(device, console);
            Optional<Prefix> loaded = ModelOptions.prefix(prefix, model);
            List<Sequence> sequences;
            try (Tokenizer tokenizer = modelOptions.tokenizer(model)) {
                sequences = modelOptions.encode(
                        examples, tokenizer, model, loaded.map(Prefix::length).orElse(0));
            }
            Likelihood likelihood = Likelihood.of(
                    model, loaded.map(Prefix::entries).orElse(List.of()), sequences, batchSize);
            if (json) {
                ObjectNode node = JSON.createObjectNode();
                node.put("loss", likelihood.loss());
                node.put("perplexity", likelihood.perplexity());
                node.put("tokens", likelihood.tokens());
                console.out().println(node);
            } else {
                console.out()
                        .printf(
                                "loss %.4f nats a token, perplexity %.2f, %,d tokens%n",
                                likelihood.loss(), likelihood.perplexity(), likelihood.tokens());
            }
        }
        return Main.OK;
    }
}
