package dev.prefix4j.frozen;

import org.bytedeco.pytorch.Tensor;

/**
 * Rotations for the positions of the rows of a batch, as {@code Rotary} returns them.
 *
 * @param all [N, R]
 * @param asked those of the rows requested from the last block, [M, R]
 */
record Turns(Tensor all, Tensor asked) {}
