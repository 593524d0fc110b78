package dev.prefix4j.train;

import dev.prefix4j.eval.Likelihood;
import java.util.List;

/** Watches a run. Calls come from the training thread, between steps. */
public interface TrainListener {
    /** The run starts, or is resumed after some steps. */
    default void started(int stepsDone, int total) {}

    /** A step was taken. */
    default void stepped(Step step) {}

    /** The validation data is about to be scored. */
    default void validating(int sequences) {}

    /** Texts were generated after a step; the call for their validation comes next. */
    default void sampled(int step, List<Sample> samples) {}

    /** The validation data was scored after a step; {@code best} if no earlier loss was as low. */
    default void validated(int step, Likelihood likelihood, boolean best) {}
}
