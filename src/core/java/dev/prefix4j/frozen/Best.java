package dev.prefix4j.frozen;

/**
 * The likeliest next tokens.
 *
 * @param rows R
 * @param values log-probabilities, row by row, best first within a row, [R·k]
 * @param tokens [R·k]
 */
public record Best(int rows, float[] values, long[] tokens) {}
