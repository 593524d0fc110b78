package dev.prefix4j.cli;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.prefix4j.InputException;
import dev.prefix4j.task.Benchmark;
import dev.prefix4j.task.LanguageModel;
import dev.prefix4j.text.Example;
import java.util.List;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

@Command(name = "train", description = "Measures seconds per step of prefix-tuning, through the MLP, with AdamW.")
final class BenchTrain extends BenchWork {
    @Option(names = OptionNames.STEPS, paramLabel = "N", defaultValue = "20", description = "Timed steps.")
    int steps;

    @Option(
            names = OptionNames.WARMUP,
            paramLabel = "N",
            defaultValue = "3",
            description = "Untimed steps before them.")
    int warmup;

    @Option(names = OptionNames.BATCH_SIZE, paramLabel = "N", defaultValue = "10", description = "Sequences in a step.")
    int batchSize;

    @Option(names = OptionNames.HIDDEN, paramLabel = "N", defaultValue = "512", description = "Hidden size of the MLP.")
    int hidden;

    @Option(names = OptionNames.LR, paramLabel = "X", defaultValue = "5e-5", description = "Learning rate.")
    double learningRate;

    @Option(names = OptionNames.RECOMPUTE, description = "As in train: less memory, more time.")
    boolean recompute;

    BenchTrain(Console console) {
        super(console);
    }

    @Override
    public Integer call() {
        InputException.requireAtLeast("steps", steps, 1);
        InputException.requireAtLeast("warmup", warmup, 0);
        InputException.requireAtLeast("batch-size", batchSize, 1);
        precision.parse();
        runtimeOptions.start();
        List<Example> examples = dataOptions.read(data, (steps + warmup) * batchSize);
        try (LanguageModel model = modelOptions.load(runtimeOptions, console, precision.parse())) {
            Benchmark.StepTimes times = Benchmark.training(
                    model,
                    examples,
                    precision.parse().recomputing(recompute),
                    new Benchmark.Steps(
                            prefixLength, hidden, learningRate, batchSize, steps, warmup, runtimeOptions.seed));
            if (times.seconds().isEmpty()) {
                throw new InputException("%s: expected more than %d rows, found %d"
                        .formatted(
                                data,
                                warmup * batchSize + batchSize - 1,
                                Example.pairs(examples).size()));
            }
            print(result(times));
        }
        return Main.OK;
    }

    private ObjectNode result(Benchmark.StepTimes times) {
        ObjectNode node = result("train");
        ArrayNode losses = node.putArray("losses");
        times.losses().forEach(loss -> losses.add(Math.round(1e4 * loss) / 1e4));
        double all = times.seconds().stream().mapToDouble(Double::doubleValue).sum();
        return node.put("steps", times.seconds().size())
                .put("step_s_median", median(times.seconds()))
                .put("real_tokens_per_s", times.tokens() / all);
    }
}
