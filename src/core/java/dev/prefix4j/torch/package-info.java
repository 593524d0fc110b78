/**
 * libtorch from Java. Only this room and {@code kernels} use JavaCPP's loader and {@code java.lang.foreign}.
 *
 * <p>Start reading at {@link dev.prefix4j.torch.TorchRuntime} (what must be set before libtorch loads), then
 * {@link dev.prefix4j.torch.TensorScope} (who frees a tensor) and {@link dev.prefix4j.torch.Aten} (any operator by
 * name). Tensors are {@link org.bytedeco.pytorch.Tensor} everywhere: both bindings work on the same objects, and nothing is
 * copied between them.
 *
 * <p>May import: nothing of ours.
 */
package dev.prefix4j.torch;
