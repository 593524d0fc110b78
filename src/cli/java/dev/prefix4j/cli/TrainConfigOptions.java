package dev.prefix4j.cli;

import com.fasterxml.jackson.databind.JsonNode;
import dev.prefix4j.InputException;
import dev.prefix4j.train.TrainConfig;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;

/** How a method is trained. */
final class TrainConfigOptions {
    @Option(
            names = OptionNames.PREFIX_DROPOUT,
            paramLabel = "X",
            defaultValue = "0",
            description = "Probability that a value of the prefix is zeroed in a step.")
    double prefixDropout;

    @Option(names = OptionNames.EPOCHS, paramLabel = "N", description = "Passes over the data; 1 without --steps.")
    @Nullable
    Integer epochs;

    @Option(names = OptionNames.STEPS, paramLabel = "N", description = "Training steps, instead of --epochs.")
    @Nullable
    Integer steps;

    @Option(
            names = OptionNames.BATCH_SIZE,
            paramLabel = "N",
            defaultValue = "10",
            description = "Sequences in a batch.")
    int batchSize;

    @Option(names = OptionNames.ACCUMULATE, paramLabel = "N", defaultValue = "1", description = "Batches in a step.")
    int accumulate;

    @Option(
            names = OptionNames.GROUP_BY_LENGTH,
            description = "Batches of similar length: faster by a quarter, but the loss ends higher.")
    boolean groupByLength;

    @Option(
            names = OptionNames.LR,
            paramLabel = "X",
            defaultValue = "5e-5",
            description = "Learning rate after the warm-up.")
    double learningRate;

    @Option(
            names = OptionNames.WARMUP,
            paramLabel = "N",
            defaultValue = "0",
            description = "Steps over which the learning rate rises.")
    int warmup;

    @Option(
            names = OptionNames.WEIGHT_DECAY,
            paramLabel = "X",
            defaultValue = "0",
            description = "AdamW's weight decay.")
    double weightDecay;

    @Option(
            names = OptionNames.CLIP,
            paramLabel = "X",
            defaultValue = "1",
            description = "Largest norm of the gradient; 0: no limit.")
    double clip;

    @Option(
            names = OptionNames.VALID_EVERY,
            paramLabel = "N",
            defaultValue = "0",
            description = "Steps between validations; 0: once an epoch.")
    int validEvery;

    @Option(
            names = OptionNames.PATIENCE,
            paramLabel = "N",
            defaultValue = "0",
            description = "Stop after N validations without a better loss; 0: never.")
    int patience;

    @Option(
            names = OptionNames.SAVE_EVERY,
            paramLabel = "N",
            defaultValue = "100",
            description = "Steps between saves of the state to resume from.")
    int saveEvery;

    @Option(
            names = OptionNames.OBJECTIVE,
            paramLabel = "O",
            defaultValue = "token",
            description =
                    "Loss of a step. token: mean over target tokens; sentence: sum over each target, mean over the"
                            + " batch, as in the authors' code.")
    String objective;

    @Option(
            names = OptionNames.LABEL_SMOOTHING,
            paramLabel = "X",
            defaultValue = "0",
            description = "Share of each target's probability that is spread evenly over the vocabulary.")
    double smoothing;

    /** Fills in what the authors' code does, and checks what can be checked without data. */
    void settle(CommandSpec spec, boolean likeAuthors) {
        if (likeAuthors && !spec.commandLine().getParseResult().hasMatchedOption(OptionNames.OBJECTIVE)) {
            objective = "sentence";
        }
        if (steps != null && steps < 1) {
            throw new InputException("steps must be at least 1, was " + steps);
        }
        if (!objective.equals("token") && !objective.equals("sentence")) {
            throw new InputException("objective: expected token or sentence, found '" + objective + "'");
        }
    }

    /** @throws ParameterException if the run has two lengths */
    void requireOneLength(CommandSpec spec) {
        if (steps != null && epochs != null) {
            throw new ParameterException(spec.commandLine(), "expected --steps or --epochs, found both");
        }
    }

    TrainConfig config(long seed) {
        return new TrainConfig(
                steps == null ? 0 : steps,
                steps != null ? 0 : epochs == null ? 1 : epochs,
                batchSize,
                accumulate,
                groupByLength,
                learningRate,
                warmup,
                weightDecay,
                clip,
                objective.equals("sentence"),
                smoothing,
                prefixDropout,
                validEvery,
                patience,
                saveEvery,
                seed);
    }

    /** Whether the stored run has the same length. */
    boolean isAsLongAs(JsonNode stored) {
        return equal(stored.get(OptionNames.key(OptionNames.STEPS)), steps)
                && equal(stored.get(OptionNames.key(OptionNames.EPOCHS)), epochs);
    }

    private static boolean equal(@Nullable JsonNode stored, @Nullable Integer now) {
        return now == null ? stored == null || stored.isNull() : stored != null && stored.asInt() == now;
    }
}
