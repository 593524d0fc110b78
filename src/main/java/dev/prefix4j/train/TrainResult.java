package dev.prefix4j.train;

import java.nio.file.Path;
import java.util.OptionalDouble;

/**
 * What came of a run.
 *
 * @param steps taken, in all sessions of the run
 * @param loss mean of the last 50 steps' losses, in nats a token
 * @param validationLoss the best; absent without validation data
 * @param tokensPerSecond tokens that are no padding, over the time in steps
 * @param adapter folder of the prefix
 * @param finished false if the run was asked to stop before its end: it can be resumed
 */
public record TrainResult(
        int steps,
        double loss,
        OptionalDouble validationLoss,
        double tokensPerSecond,
        Path adapter,
        boolean finished) {}
