package dev.prefix4j.train;

import dev.prefix4j.eval.Likelihood;
import java.util.List;

/** Watches a run. Calls come from the training thread, between steps. */
public interface TrainListener {
    /** The run begins, or goes on after some steps. */
    default void started(int stepsDone, int total) {}

    /** A step was taken. */
    default void stepped(Step step) {}

    /** The validation data is about to be scored. */
    default void validating(int sequences) {}

    /** Texts were written after a step, to look at; the validation that they belong to is told of next. */
    default void sampled(int step, List<Sample> samples) {}

    /** The validation data was scored after a step; {@code best} if no earlier loss was as low. */
    default void validated(int step, Likelihood likelihood, boolean best) {}
}
