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

    /** Logs the texts that were generated after a step. */
    void log(int step, List<Sample> written);

    /** Drops what was logged after a step: those steps will be taken again. */
    void keepLinesUpTo(int step);

    /**
     * Replaces the state to resume from.
     *
     * @param progress values by name
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

    /** The error for a state that does not say how far the run is. */
    InputException damagedProgress();

    /** The folder of the run; absent in memory. */
    Optional<Path> place();

    /** Mean loss of the last steps, at most {@link TrainResult#LAST}; absent if there are none. */
    OptionalDouble lastLoss();

    /** Tokens without padding, per second of the time in steps; absent if no time has passed. */
    OptionalDouble tokensPerSecond();
}
