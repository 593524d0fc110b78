package dev.prefix4j.train;

import dev.prefix4j.InputException;
import dev.prefix4j.frozen.Objective;

/**
 * How to train.
 *
 * @param steps optimizer steps; 0: as many as {@code epochs} need
 * @param epochs passes over the data, where {@code steps} is 0
 * @param batchSize sequences in a batch
 * @param accumulate batches whose gradients make one step, as if they were one large batch
 * @param groupByLength batches of sequences of similar length: less padding, so faster, but a batch is then not a fair
 *     sample of the data, and the final loss is higher (docs/training.md)
 * @param learningRate at the end of the warm-up
 * @param warmup steps over which the learning rate rises from 0; then it falls linearly to 0
 * @param weightDecay of AdamW, decoupled
 * @param clip largest norm of the gradient; 0: no limit
 * @param sentenceSum the loss of a step is the mean over sequences of the sum over their target tokens, as in the authors'
 *     code; otherwise the mean over all target tokens
 * @param smoothing share of a target's probability that is spread evenly over all words (label smoothing)
 * @param prefixDropout probability that a value of the prefix is zeroed in a step
 * @param validateEvery steps between validations; 0: once an epoch
 * @param patience validations without a better loss after which training ends; 0: no limit
 * @param saveEvery steps between saves of the state to resume from
 * @param seed of the order of the data and of the dropout
 */
public record TrainConfig(
        int steps,
        int epochs,
        int batchSize,
        int accumulate,
        boolean groupByLength,
        double learningRate,
        int warmup,
        double weightDecay,
        double clip,
        boolean sentenceSum,
        double smoothing,
        double prefixDropout,
        int validateEvery,
        int patience,
        int saveEvery,
        long seed) {

    /** One epoch with PEFT's and the authors' usual values. */
    public static final TrainConfig DEFAULTS =
            new TrainConfig(0, 1, 10, 1, false, 5e-5, 0, 0, 1, false, 0, 0, 0, 0, 100, 101);

    public TrainConfig {
        InputException.requireAtLeast("steps", steps, 0);
        InputException.requireAtLeast("epochs", epochs, steps > 0 ? 0 : 1);
        InputException.requireAtLeast("batch-size", batchSize, 1);
        InputException.requireAtLeast("accumulate", accumulate, 1);
        InputException.requireAtLeast("warmup", warmup, 0);
        InputException.requireAtLeast("validate-every", validateEvery, 0);
        InputException.requireAtLeast("patience", patience, 0);
        InputException.requireAtLeast("save-every", saveEvery, 1);
        within("lr", learningRate, 0, 10);
        within("weight-decay", weightDecay, 0, 10);
        within("clip", clip, 0, Double.MAX_VALUE);
        Objective.requireSmoothing(smoothing);
        if (!(prefixDropout >= 0 && prefixDropout < 1)) {
            throw new InputException("prefix-dropout must be at least 0 and below 1, was " + prefixDropout);
        }
    }

    /** The same for a number of steps instead of epochs. */
    public TrainConfig withSteps(int given) {
        return new TrainConfig(
                given,
                0,
                batchSize,
                accumulate,
                groupByLength,
                learningRate,
                warmup,
                weightDecay,
                clip,
                sentenceSum,
                smoothing,
                prefixDropout,
                validateEvery,
                patience,
                saveEvery,
                seed);
    }

    /** The same with another batch size. */
    public TrainConfig withBatchSize(int given) {
        return new TrainConfig(
                steps,
                epochs,
                given,
                accumulate,
                groupByLength,
                learningRate,
                warmup,
                weightDecay,
                clip,
                sentenceSum,
                smoothing,
                prefixDropout,
                validateEvery,
                patience,
                saveEvery,
                seed);
    }

    /** The same with another learning rate. */
    public TrainConfig withLearningRate(double given) {
        return new TrainConfig(
                steps,
                epochs,
                batchSize,
                accumulate,
                groupByLength,
                given,
                warmup,
                weightDecay,
                clip,
                sentenceSum,
                smoothing,
                prefixDropout,
                validateEvery,
                patience,
                saveEvery,
                seed);
    }

    /** The same with another seed. */
    public TrainConfig withSeed(long given) {
        return new TrainConfig(
                steps,
                epochs,
                batchSize,
                accumulate,
                groupByLength,
                learningRate,
                warmup,
                weightDecay,
                clip,
                sentenceSum,
                smoothing,
                prefixDropout,
                validateEvery,
                patience,
                saveEvery,
                given);
    }

    private static void within(String name, double value, double least, double most) {
        if (!(value >= least && value <= most)) { // NaN too
            throw new InputException(
                    most == Double.MAX_VALUE
                            ? "%s must be at least %s, was %s".formatted(name, least, value)
                            : "%s must be between %s and %s, was %s".formatted(name, least, most, value));
        }
    }

    /**
     * The learning rate of a step: Transformers' {@code get_linear_schedule_with_warmup}.
     *
     * @param step from 0
     * @param total steps of the run
     */
    double learningRate(int step, int total) {
        double factor = step < warmup
                ? (double) step / Math.max(1, warmup)
                : Math.max(0, (double) (total - step) / Math.max(1, total - warmup));
        return learningRate * factor;
    }
}
