package dev.prefix4j.train;

import java.nio.file.Path;
import java.util.Optional;
import java.util.OptionalDouble;

/**
 * The result of a run.
 *
 * @param steps taken, in all sessions of the run
 * @param loss mean over the last steps, at most {@link #LAST}, in nats per token; absent if their lines are lost
 * @param validationLoss the best; absent without validation data
 * @param tokensPerSecond tokens without padding, per second of the time in steps; absent like {@code loss}
 * @param adapter folder of what was trained; absent for a run in memory
 * @param finished false if the run was stopped before its end; it can be resumed
 */
public record TrainResult(
        int steps,
        OptionalDouble loss,
        OptionalDouble validationLoss,
        OptionalDouble tokensPerSecond,
        Optional<Path> adapter,
        boolean finished) {
    /** Steps whose mean loss is reported. */
    public static final int LAST = 50;
}
