package dev.prefix4j.train;

import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;

/**
 * A step that was taken, and its line of {@code metrics.jsonl}.
 *
 * @param step that was taken, from 1
 * @param total steps of the run
 * @param loss mean over the step's target tokens, in nats
 * @param learningRate that was applied
 * @param gradientNorm before clipping
 * @param tokens of the step, without padding
 * @param seconds that the step took
 */
public record Step(
        int step, int total, double loss, double learningRate, double gradientNorm, int tokens, double seconds) {
    /** Key of every line of a log. */
    public static final String STEP = "step";

    /** Key that lines of steps have, and no others. */
    public static final String LOSS = "loss";

    public static final String LEARNING_RATE = "lr";
    public static final String GRADIENT_NORM = "grad_norm";
    public static final String TOKENS = "tokens";
    public static final String SECONDS = "seconds";

    /** The line. */
    ObjectNode line() {
        ObjectNode line = JsonNodeFactory.instance.objectNode();
        line.put(STEP, step).put(LOSS, loss).put(LEARNING_RATE, learningRate).put(GRADIENT_NORM, gradientNorm);
        return line.put(TOKENS, tokens).put(SECONDS, seconds);
    }
}
