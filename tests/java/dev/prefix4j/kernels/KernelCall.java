package dev.prefix4j.kernels;

import static dev.prefix4j.kernels.KernelsTest.bits;
import static dev.prefix4j.kernels.KernelsTest.floats;

import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptions;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;

/**
 * A kernel with arguments that fit: two rows, and four columns or two heads of two.
 *
 * @param tensors all of them; those of {@link EightBits} one by one
 */
record KernelCall(List<Tensor> tensors, Consumer<Tensor[]> kernel) {
    static Tensor zeros(ScalarType type, long... shape) {
        return torch.zeros(shape, new TensorOptions(type));
    }

    private static KernelCall call(Consumer<Tensor[]> kernel, Object... tensors) {
        List<Tensor> all = new ArrayList<>();
        for (Object each : tensors) {
            if (each instanceof EightBits rows) {
                all.addAll(List.of(rows.q(), rows.scale(), rows.sum()));
            } else {
                all.add((Tensor) each);
            }
        }
        return new KernelCall(all, kernel);
    }

    /** Calls the kernel. */
    void run() {
        kernel.accept(tensors.toArray(Tensor[]::new));
    }

    /** Calls the kernel with another tensor in one place. */
    void with(int index, Tensor other) {
        Tensor[] arguments = tensors.toArray(Tensor[]::new);
        arguments[index] = other;
        kernel.accept(arguments);
    }

    static KernelCall of(Function kernel, Kernels kernels) {
        return switch (kernel) {
            case QUANTIZE, GELU, GELU_BACKWARD, SLOPE_BACKWARD, SWIGLU, SWIGLU_BACKWARD -> rows(kernel, kernels.rows());
            case LAYER_NORM, LAYER_NORM_BACKWARD, RMS_NORM, RMS_NORM_BACKWARD -> norms(kernel, kernels.rows());
            case ROTATE, HEAD_NORM, HEAD_NORM_BACKWARD -> heads(kernel, kernels.heads());
            case PACK, PACK_F32, MATMUL_F32, PACKED_BYTES, MATMUL_Q8, PACKED_FLOATS, MATMUL_PACKED_F32 ->
                products(kernel, kernels.products());
            case ATTENTION_FORWARD, ATTENTION_BACKWARD, ATTENTION_DECODE -> attention(kernel, kernels.attention());
            case SOFTMAX_BLOCK, TOP_K, ADAMW_PRODUCT -> others(kernel, kernels);
        };
    }

    private static EightBits bits8(Tensor[] t, int first) {
        return new EightBits(t[first], t[first + 1], t[first + 2]);
    }

    private static KernelCall rows(Function kernel, RowKernels rows) {
        Tensor x = floats(2, 4);
        Tensor y = floats(2, 4);
        return switch (kernel) {
            case QUANTIZE -> call(t -> rows.quantize(t[0], bits8(t, 1), t[4]), x, bits(2, 4), y);
            case GELU ->
                call(t -> rows.gelu(t[0], t[1], bits8(t, 2), t[5]), x, y, bits(2, 4), zeros(ScalarType.Byte, 2, 4));
            case GELU_BACKWARD -> call(t -> rows.geluBackward(t[0], t[1], t[2], bits8(t, 3)), x, x, y, bits(2, 4));
            case SLOPE_BACKWARD ->
                call(t -> rows.slopeBackward(t[0], t[1], bits8(t, 2)), x, zeros(ScalarType.Byte, 2, 4), bits(2, 4));
            case SWIGLU -> call(t -> rows.swiglu(t[0], t[1], bits8(t, 2)), floats(2, 8), y, bits(2, 4));
            case SWIGLU_BACKWARD ->
                call(
                        t -> rows.swigluBackward(t[0], t[1], t[2], bits8(t, 3)),
                        x,
                        floats(2, 8),
                        floats(2, 8),
                        bits(2, 8));
            default -> throw new AssertionError(kernel);
        };
    }

    private static KernelCall norms(Function kernel, RowKernels rows) {
        Tensor x = floats(2, 4);
        Tensor y = floats(2, 4);
        Tensor e = floats(4);
        Tensor n = floats(2);
        return switch (kernel) {
            case LAYER_NORM ->
                call(
                        t -> rows.layerNorm(t[0], t[1], t[2], 1e-5, t[3], bits8(t, 4), t[7], t[8]),
                        x,
                        e,
                        e,
                        y,
                        bits(2, 4),
                        n,
                        n);
            case LAYER_NORM_BACKWARD ->
                call(t -> rows.layerNormBackward(t[0], t[1], t[2], t[3], t[4], t[5]), x, x, e, n, n, y);
            case RMS_NORM -> call(t -> rows.rmsNorm(t[0], t[1], 1e-5, t[2], bits8(t, 3), t[6]), x, e, y, bits(2, 4), n);
            case RMS_NORM_BACKWARD -> call(t -> rows.rmsNormBackward(t[0], t[1], t[2], t[3], t[4]), x, x, e, n, y);
            default -> throw new AssertionError(kernel);
        };
    }

    private static KernelCall heads(Function kernel, HeadKernels heads) {
        Tensor x = floats(2, 4);
        Tensor y = floats(2, 4);
        Tensor n = floats(2);
        return switch (kernel) {
            case ROTATE -> call(t -> heads.rotate(t[0], 2, 2, t[1], false), x, floats(2, 2));
            case HEAD_NORM -> call(t -> heads.headNorm(t[0], 2, t[1], 1e-5, t[2], t[3]), x, n, y, floats(2, 2));
            case HEAD_NORM_BACKWARD ->
                call(t -> heads.headNormBackward(t[0], t[1], 2, t[2], t[3], t[4]), x, x, n, floats(2, 2), y);
            default -> throw new AssertionError(kernel);
        };
    }

    private static KernelCall products(Function kernel, ProductKernels products) {
        Tensor x = floats(2, 4);
        return switch (kernel) {
            case PACK -> call(t -> products.quantize(t[0]), floats(4, 3));
            case PACK_F32 -> call(t -> products.pack(t[0]), floats(4, 3));
            case MATMUL_F32 ->
                call(
                        t -> products.multiply(t[0], t[1], t[2], t[3], t[4]),
                        x,
                        floats(4, 3),
                        floats(3),
                        floats(2, 3),
                        floats(2, 3));
            case PACKED_BYTES, MATMUL_Q8 ->
                call(
                        t -> products.multiply(bits8(t, 0), new ProductKernels.Packed(t[3], 4, 3), 0, t[4], t[5], t[6]),
                        bits(2, 4),
                        products.quantize(floats(4, 3)).memory(),
                        floats(3),
                        floats(2, 3),
                        floats(2, 3));
            case PACKED_FLOATS, MATMUL_PACKED_F32 ->
                call(
                        t -> products.multiply(t[0], new ProductKernels.Packed(t[1], 4, 3), 0, t[2], t[3], t[4]),
                        x,
                        products.pack(floats(4, 3)).memory(),
                        floats(3),
                        floats(2, 3),
                        floats(2, 3));
            default -> throw new AssertionError(kernel);
        };
    }

    private static KernelCall attention(Function kernel, AttentionKernels kernels) {
        Tensor x = floats(2, 4);
        Tensor y = floats(2, 4);
        return switch (kernel) {
            case ATTENTION_FORWARD ->
                call(
                        t -> kernels.forward(attention(t[0], t[1], t[2], t[3]), t[4], t[5], t[6]),
                        floats(3, 4),
                        floats(3, 4),
                        floats(2, 4),
                        floats(2, 4),
                        x,
                        y,
                        floats(2, 2));
            case ATTENTION_BACKWARD ->
                call(
                        t -> kernels.backward(gradients(t[0], t[1], t[2], t[3]), t[4], t[5], t[6], t[7], t[8]),
                        floats(3, 4),
                        floats(3, 4),
                        floats(3, 4),
                        floats(3, 4),
                        x,
                        y,
                        floats(2, 2),
                        x,
                        floats(2, 4));
            case ATTENTION_DECODE ->
                call(t -> kernels.decode(decoded(t[0], t[1]), t[2], t[3]), floats(3, 4), floats(3, 4), x, y);
            default -> throw new AssertionError(kernel);
        };
    }

    private static KernelCall others(Function kernel, Kernels kernels) {
        Tensor x = floats(2, 4);
        Tensor n = floats(2);
        return switch (kernel) {
            case SOFTMAX_BLOCK ->
                call(
                        t -> kernels.vocabulary().softmaxBlock(t[0], 0, t[1], t[2], t[3], t[4], t[5]),
                        x,
                        zeros(ScalarType.Long, 2),
                        n,
                        zeros(ScalarType.Double, 2),
                        n,
                        floats(2, 5));
            case TOP_K ->
                call(t -> kernels.vocabulary().topK(t[0], t[1], t[2]), x, floats(2, 3), zeros(ScalarType.Long, 2, 3));
            case ADAMW_PRODUCT ->
                call(
                        t -> kernels.optimizer()
                                .adamwProduct(
                                        new OptimizerKernels.AdamW(1, 0, 0, 1, 0, 1), t[0], t[1], t[2], t[3], t[4]),
                        x,
                        floats(2, 4),
                        floats(2, 4),
                        floats(3, 2),
                        floats(3, 4));
            default -> throw new AssertionError(kernel);
        };
    }

    private static Attention attention(Tensor keys, Tensor values, Tensor own, Tensor ownValues) {
        Attention attention = new Attention(new Attention.Heads(2, 2, 2, 0), 1, true);
        attention.see(KeysValues.of(keys, values));
        attention.see(KeysValues.of(own, ownValues));
        attention.endRow(2);
        return attention;
    }

    private static Attention gradients(Tensor keys, Tensor values, Tensor dKeys, Tensor dValues) {
        Attention attention = new Attention(new Attention.Heads(2, 2, 2, 0), 1, false);
        attention.see(KeysValues.of(keys, values).withGradient(dKeys, dValues));
        attention.endRow(2);
        return attention;
    }

    private static Attention decoded(Tensor keys, Tensor values) {
        Attention attention = new Attention(new Attention.Heads(2, 2, 2, 0), 1, false);
        for (int row = 0; row < 2; row++) {
            attention.see(KeysValues.of(keys, values));
            attention.endRow(1);
        }
        return attention;
    }
}
