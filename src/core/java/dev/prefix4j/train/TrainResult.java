package dev.prefix4j.train;

import java.nio.file.Path;
import java.util.Optional;
import java.util.OptionalDouble;

/**
 * What came of a run.
 *
 * @param steps taken, in all sessions of the run
 * @param loss mean over the last steps, at most {@link #LAST}, in nats a token; absent where their lines are lost
 * @param validationLoss the best; absent without validation data
 * @param tokensPerSecond tokens that are no padding, over the time in steps; absent as {@code loss}
 * @param adapter folder of what was trained; absent for a run in memory
 * @param finished false if the run was asked to stop before its end: it can be resumed
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
