package dev.prefix4j.train;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.OptionalDouble;

/** What a result says about all steps, added up as they are taken: a long run needs no more memory than a short one. */
final class Totals {
    private final double[] lastLosses = new double[TrainResult.LAST]; // a ring
    private long steps;
    private double tokens;
    private double seconds;

    /** @param line of {@code metrics.jsonl}; a validation does not count */
    void add(JsonNode line) {
        if (!line.has(Step.LOSS)) {
            return;
        }
        lastLosses[(int) (steps++ % lastLosses.length)] = line.path(Step.LOSS).asDouble();
        tokens += line.path(Step.TOKENS).asDouble();
        seconds += line.path(Step.SECONDS).asDouble();
    }

    /** Mean over the last steps; absent if there are none. */
    OptionalDouble lastLoss() {
        int count = (int) Math.min(steps, lastLosses.length);
        double sum = 0;
        for (int i = 0; i < count; i++) {
            sum += lastLosses[i];
        }
        return count == 0 ? OptionalDouble.empty() : OptionalDouble.of(sum / count);
    }

    /** Absent if no time has passed. */
    OptionalDouble tokensPerSecond() {
        return seconds > 0 ? OptionalDouble.of(tokens / seconds) : OptionalDouble.empty();
    }
}
