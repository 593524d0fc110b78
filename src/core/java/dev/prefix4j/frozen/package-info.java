/**
 * The base model as the fixed function that it is while a prefix is trained: one pass forward, one vector–Jacobian
 * product back to the keys and values of the prefix, or to what is put into the blocks, by explicit rules and without autograd.
 * Sequences lie end to end, no padding is ever multiplied, and nothing is computed that nobody reads.
 *
 * <p>Start with {@link dev.prefix4j.frozen.FrozenModel}. {@link dev.prefix4j.frozen.Operators} has what a block does to
 * rows, once in operators of libtorch, for any device, and once in our kernels; {@link dev.prefix4j.frozen.Linear} has the matrix
 * products, in float32 and in 8 bits.
 *
 * <p>May import: {@code text}, {@code model}, {@code kernels}, {@code torch}.
 */
package dev.prefix4j.frozen;
