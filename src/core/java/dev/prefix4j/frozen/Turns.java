package dev.prefix4j.frozen;

import org.bytedeco.pytorch.Tensor;

/**
 * Rotary positions of the rows of a batch, as {@code Rotary} gives them.
 *
 * @param all [N, R]
 * @param asked those of the rows that are asked for in the last block, [M, R]
 */
record Turns(Tensor all, Tensor asked) {}
