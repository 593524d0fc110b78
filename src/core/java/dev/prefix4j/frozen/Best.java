package dev.prefix4j.frozen;

/**
 * The likeliest next tokens.
 *
 * @param rows R
 * @param values log-probabilities of a row, best first, row by row, [R·k]
 * @param tokens [R·k]
 */
public record Best(int rows, float[] values, long[] tokens) {}
