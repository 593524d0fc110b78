/**
 * The base model as a fixed function, which it is while a prefix is trained: one forward pass, then one vector–Jacobian
 * product back to the keys and values of the prefix, or to what is put into the blocks, by explicit rules and without autograd.
 * Sequences are packed end to end, padding is never multiplied, and nothing is computed that is not used.
 *
 * <p>Start with {@link dev.prefix4j.frozen.FrozenModel}. {@link dev.prefix4j.frozen.Operators} defines what a block does to
 * rows, implemented with libtorch's operators for any device and with our own kernels. {@link dev.prefix4j.frozen.Linear} has
 * the matrix products, in float32 and in 8 bits.
 *
 * <p>May import: {@code text}, {@code model}, {@code kernels}, {@code torch}.
 */
package dev.prefix4j.frozen;
