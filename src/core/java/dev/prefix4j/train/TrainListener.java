package dev.prefix4j.train;

import dev.prefix4j.eval.Likelihood;

/** Watches a run. Calls come from the training thread, between steps. */
public interface TrainListener {
    /**
     * A step was taken.
     *
     * @param step that was taken, from 1
     * @param total steps of the run
     * @param loss mean over the step's target tokens, in nats
     * @param learningRate that was applied
     * @param gradientNorm before clipping
     * @param tokens of the step that are no padding
     * @param seconds that the step took
     */
    record Step(
            int step, int total, double loss, double learningRate, double gradientNorm, int tokens, double seconds) {}

    /** The run begins, or goes on after some steps. */
    default void started(int stepsDone, int total) {}

    /** A step was taken. */
    default void stepped(Step step) {}

    /** The validation data is about to be scored. */
    default void validating(int sequences) {}

    /** The validation data was scored after a step; {@code best} if no earlier loss was as low. */
    default void validated(int step, Likelihood likelihood, boolean best) {}
}
