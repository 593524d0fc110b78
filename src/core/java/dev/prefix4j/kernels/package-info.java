/**
 * The bindings of {@code native/}: our own kernels, on the memory of CPU tensors. Every type, shape and leading dimension is
 * checked here, before a call; the native side checks nothing.
 *
 * <p>Start with {@link dev.prefix4j.kernels.Kernels}, which finds the library. {@link dev.prefix4j.kernels.Attention} describes
 * what the rows of a batch attend to. {@link dev.prefix4j.kernels.Function} lists the native functions, and
 * {@link dev.prefix4j.kernels.Struct} the layouts of the structures; tests compare both with the C header.
 *
 * <p>May import: {@code torch}.
 */
package dev.prefix4j.kernels;
