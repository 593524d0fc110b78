package dev.prefix4j.train;

import dev.prefix4j.InputException;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import org.bytedeco.pytorch.Tensor;

/** Where a run writes: {@link RunDirectory}, which can be resumed, or {@link RunInMemory}. */
public sealed interface RunStore permits RunDirectory, RunInMemory {
    /** Logs a step. */
    void log(Step step);

    /** Logs a validation. */
    void log(Validation validation);

    /** Logs what was written after a step. */
    void log(int step, List<Sample> written);

    /** Drops what was logged after a step: it will be done again. */
    void keepLinesUpTo(int step);

    /**
     * Replaces the state to resume from.
     *
     * @param progress numbers and texts by name
     */
    void saveState(Map<String, Tensor> tensors, Map<String, String> progress);

    /**
     * Copies a saved state into tensors.
     *
     * @param tensors to write to, by name
     * @return what was saved as progress; empty if there is none
     * @throws InputException if the state does not fit
     */
    Map<String, String> loadState(Map<String, Tensor> tensors);

    /** The error for a state whose progress does not say how far it is. */
    InputException damagedProgress();

    /** The folder of the run; absent in memory. */
    Optional<Path> place();

    /** Mean loss of the last steps, at most {@link TrainResult#LAST}; absent without any. */
    OptionalDouble lastLoss();

    /** Tokens that are no padding, over the time in steps; absent where no time has passed. */
    OptionalDouble tokensPerSecond();
}
