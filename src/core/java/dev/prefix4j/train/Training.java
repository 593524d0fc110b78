package dev.prefix4j.train;

import java.util.Map;
import java.util.function.BooleanSupplier;
import org.bytedeco.pytorch.Tensor;

/** What a {@link TrainingLoop} trains: its step, its validation, and what it keeps to go on from. */
public interface Training {
    /**
     * What a step gave.
     *
     * @param loss mean over the step's target tokens, in nats
     * @param learningRate that was applied
     * @param gradientNorm before clipping
     * @param tokens that are no padding
     */
    record Outcome(double loss, double learningRate, double gradientNorm, int tokens) {}

    /** All that a step changes, by name: written to go on from, and read into. */
    Map<String, Tensor> state();

    /** What else is needed to go on. */
    Map<String, String> progress();

    /**
     * Goes on from a step.
     *
     * @param progress as {@link #progress} gave it, perhaps in an earlier version
     * @throws NumberFormatException if it is damaged
     */
    void restore(int step, Map<String, String> progress);

    /** The state to go on from, or none, has been read and found right: the first step follows. */
    default void restored() {}

    /** Steps of the whole run, as far as it can be told after some. */
    int total(int step);

    /** Whether the run has come to its end after a step. */
    boolean isOver(int step);

    /**
     * Takes a step.
     *
     * @param step from 0
     * @throws dev.prefix4j.InputException if the loss is no longer a number
     */
    Outcome step(int step);

    /** The step that was taken last took so long. */
    default void spent(double seconds) {}

    /**
     * Validates, and writes samples.
     *
     * @param stop asked now and then: what is begun then ends early
     */
    void look(int step, TrainListener listener, BooleanSupplier stop);

    /** Whether the last {@link #look} was stopped before its end. */
    default boolean owesLook() {
        return false;
    }

    /** Writes what a user of the run uses; the state is about to be saved. */
    void keep();
}
