package dev.prefix4j.cli;

import dev.prefix4j.InputException;
import dev.prefix4j.generate.Decoding;
import dev.prefix4j.task.Benchmark;
import dev.prefix4j.task.LanguageModel;
import dev.prefix4j.text.Example;
import java.util.List;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

@Command(name = "generate", description = "Measures new tokens per second with a random prefix; no output ends early.")
final class BenchGenerate extends BenchWork {
    @Option(names = OptionNames.BATCH_SIZE, paramLabel = "N", defaultValue = "8", description = "Sources in a batch.")
    int batchSize;

    @Option(
            names = OptionNames.BATCHES,
            paramLabel = "N",
            defaultValue = "3",
            description = "Timed batches, after one that is not timed.")
    int batches;

    @Option(names = OptionNames.BEAMS, paramLabel = "N", defaultValue = "1", description = "Beams; 1: greedy.")
    int beams;

    @Option(
            names = OptionNames.NEW_TOKENS,
            paramLabel = "N",
            defaultValue = "40",
            description = "New tokens per source.")
    int newTokens;

    BenchGenerate(Console console) {
        super(console);
    }

    @Override
    public Integer call() {
        InputException.requireAtLeast("batch-size", batchSize, 1);
        InputException.requireAtLeast("batches", batches, 1);
        InputException.requireAtLeast("new-tokens", newTokens, 1);
        precision.parse();
        Decoding decoding = beams == 1 ? new Decoding.Greedy() : new Decoding.BeamSearch(beams, 1);
        runtimeOptions.start();
        List<Example> examples = dataOptions.read(data, (batches + 1) * batchSize);
        InputException.requireAtLeast(data + ": rows", examples.size(), (batches + 1) * batchSize);
        try (LanguageModel model = modelOptions.load(runtimeOptions, console, precision.parse())) {
            double seconds = Benchmark.decoding(
                    model,
                    examples.subList(0, (batches + 1) * batchSize),
                    precision.parse(),
                    prefixLength,
                    decoding,
                    newTokens,
                    batchSize,
                    runtimeOptions.seed);
            print(result("generate")
                    .put("beams", beams)
                    .put("batch", batchSize)
                    .put("new_tokens_per_s", (double) newTokens * batchSize * batches / seconds));
        }
        return Main.OK;
    }
}
