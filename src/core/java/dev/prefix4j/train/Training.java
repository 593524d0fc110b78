package dev.prefix4j.train;

import java.util.Map;
import java.util.function.BooleanSupplier;
import org.bytedeco.pytorch.Tensor;

/** What a {@link TrainingLoop} trains: its step, its validation, and the state to resume from. */
public interface Training {
    /**
     * The result of a step.
     *
     * @param loss mean over the step's target tokens, in nats
     * @param learningRate that was applied
     * @param gradientNorm before clipping
     * @param tokens without padding
     */
    record Outcome(double loss, double learningRate, double gradientNorm, int tokens) {}

    /** All that a step changes, by name: it is saved, and restored in place. */
    Map<String, Tensor> state();

    /** What else is needed to resume. */
    Map<String, String> progress();

    /**
     * Resumes after a step.
     *
     * @param progress as {@link #progress} returned it, perhaps in an earlier version
     * @throws NumberFormatException if it is damaged
     */
    void restore(int step, Map<String, String> progress);

    /** A saved state, if any, has been read and checked; the first step follows. */
    default void restored() {}

    /** Steps of the whole run, as far as known after some of them. */
    int total(int step);

    /** Whether the run ends after a step. */
    boolean isOver(int step);

    /**
     * Takes a step.
     *
     * @param step from 0
     * @throws dev.prefix4j.InputException if the loss is not finite
     */
    Outcome step(int step);

    /** Takes the duration of the last step. */
    default void spent(double seconds) {}

    /**
     * Validates, and writes samples.
     *
     * @param stop checked now and then; if true, the validation ends early
     */
    void look(int step, TrainListener listener, BooleanSupplier stop);

    /** Whether the last {@link #look} was stopped before its end. */
    default boolean owesLook() {
        return false;
    }

    /** Writes what a user of the run needs; the state is saved next. */
    void keep();
}
