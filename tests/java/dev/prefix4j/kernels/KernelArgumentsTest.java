package dev.prefix4j.kernels;

import static dev.prefix4j.kernels.KernelsTest.bits;
import static dev.prefix4j.kernels.KernelsTest.floats;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.prefix4j.torch.TensorScope;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import java.util.function.Consumer;
import org.bytedeco.pytorch.Device;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptions;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** What does not fit is refused before a native call: of every kernel every tensor, in every way in which it can be wrong. */
class KernelArgumentsTest {
    private static Tensor of(ScalarType type, long... shape) {
        return torch.zeros(shape, new TensorOptions(type));
    }

    /**
     * A kernel with arguments that fit.
     *
     * @param tensors all of them; those of {@link EightBits} one by one
     */
    private record Call(List<Tensor> tensors, Consumer<Tensor[]> kernel) {
        static Call of(Consumer<Tensor[]> kernel, Object... tensors) {
            List<Tensor> all = new ArrayList<>();
            for (Object each : tensors) {
                if (each instanceof EightBits rows) {
                    all.addAll(List.of(rows.q(), rows.scale(), rows.sum()));
                } else {
                    all.add((Tensor) each);
                }
            }
            return new Call(all, kernel);
        }

        void with(int index, Tensor other) {
            Tensor[] arguments = tensors.toArray(Tensor[]::new);
            if (index >= 0) {
                arguments[index] = other;
            }
            kernel.accept(arguments);
        }
    }

    private static EightBits bits8(Tensor[] t, int first) {
        return new EightBits(t[first], t[first + 1], t[first + 2]);
    }

    /** Two rows, four columns or two heads of two. */
    private static Call call(Function kernel, Kernels kernels) {
        RowKernels rows = kernels.rows();
        HeadKernels heads = kernels.heads();
        ProductKernels products = kernels.products();
        Tensor x = floats(2, 4);
        Tensor y = floats(2, 4);
        Tensor e = floats(4);
        Tensor n = floats(2);
        return switch (kernel) {
            case QUANTIZE -> Call.of(t -> rows.quantize(t[0], bits8(t, 1), t[4]), x, bits(2, 4), y);
            case LAYER_NORM ->
                Call.of(
                        t -> rows.layerNorm(t[0], t[1], t[2], 1e-5, t[3], bits8(t, 4), t[7], t[8]),
                        x,
                        e,
                        e,
                        y,
                        bits(2, 4),
                        n,
                        n);
            case LAYER_NORM_BACKWARD ->
                Call.of(t -> rows.layerNormBackward(t[0], t[1], t[2], t[3], t[4], t[5]), x, x, e, n, n, y);
            case RMS_NORM ->
                Call.of(t -> rows.rmsNorm(t[0], t[1], 1e-5, t[2], bits8(t, 3), t[6]), x, e, y, bits(2, 4), n);
            case RMS_NORM_BACKWARD -> Call.of(t -> rows.rmsNormBackward(t[0], t[1], t[2], t[3], t[4]), x, x, e, n, y);
            case GELU ->
                Call.of(t -> rows.gelu(t[0], t[1], bits8(t, 2), t[5]), x, y, bits(2, 4), of(ScalarType.Byte, 2, 4));
            case GELU_BACKWARD -> Call.of(t -> rows.geluBackward(t[0], t[1], t[2], bits8(t, 3)), x, x, y, bits(2, 4));
            case SLOPE_BACKWARD ->
                Call.of(t -> rows.slopeBackward(t[0], t[1], bits8(t, 2)), x, of(ScalarType.Byte, 2, 4), bits(2, 4));
            case SWIGLU -> Call.of(t -> rows.swiglu(t[0], t[1], bits8(t, 2)), floats(2, 8), y, bits(2, 4));
            case SWIGLU_BACKWARD ->
                Call.of(
                        t -> rows.swigluBackward(t[0], t[1], t[2], bits8(t, 3)),
                        x,
                        floats(2, 8),
                        floats(2, 8),
                        bits(2, 8));
            case ROTATE -> Call.of(t -> heads.rotate(t[0], 2, 2, t[1], false), x, floats(2, 2));
            case HEAD_NORM -> Call.of(t -> heads.headNorm(t[0], 2, t[1], 1e-5, t[2], t[3]), x, n, y, floats(2, 2));
            case HEAD_NORM_BACKWARD ->
                Call.of(t -> heads.headNormBackward(t[0], t[1], 2, t[2], t[3], t[4]), x, x, n, floats(2, 2), y);
            case PACK -> Call.of(t -> products.quantize(t[0]), floats(4, 3));
            case PACK_F32 -> Call.of(t -> products.pack(t[0]), floats(4, 3));
            case MATMUL_F32 ->
                Call.of(
                        t -> products.multiply(t[0], t[1], t[2], t[3], t[4]),
                        x,
                        floats(4, 3),
                        floats(3),
                        floats(2, 3),
                        floats(2, 3));
            case PACKED_BYTES, MATMUL_Q8 ->
                Call.of(
                        t -> products.multiply(bits8(t, 0), new ProductKernels.Packed(t[3], 4, 3), 0, t[4], t[5], t[6]),
                        bits(2, 4),
                        products.quantize(floats(4, 3)).memory(),
                        floats(3),
                        floats(2, 3),
                        floats(2, 3));
            case PACKED_FLOATS, MATMUL_PACKED_F32 ->
                Call.of(
                        t -> products.multiply(t[0], new ProductKernels.Packed(t[1], 4, 3), 0, t[2], t[3], t[4]),
                        x,
                        products.pack(floats(4, 3)).memory(),
                        floats(3),
                        floats(2, 3),
                        floats(2, 3));
            case ATTENTION_FORWARD ->
                Call.of(
                        t -> kernels.attention().forward(attention(t[0], t[1], t[2], t[3]), t[4], t[5], t[6]),
                        floats(3, 4),
                        floats(3, 4),
                        floats(2, 4),
                        floats(2, 4),
                        x,
                        y,
                        floats(2, 2));
            case ATTENTION_BACKWARD ->
                Call.of(
                        t -> kernels.attention()
                                .backward(gradients(t[0], t[1], t[2], t[3]), t[4], t[5], t[6], t[7], t[8]),
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
                Call.of(
                        t -> kernels.attention().decode(decoded(t[0], t[1]), t[2], t[3]),
                        floats(3, 4),
                        floats(3, 4),
                        x,
                        y);
            case SOFTMAX_BLOCK ->
                Call.of(
                        t -> kernels.vocabulary().softmaxBlock(t[0], 0, t[1], t[2], t[3], t[4], t[5]),
                        x,
                        of(ScalarType.Long, 2),
                        n,
                        of(ScalarType.Double, 2),
                        n,
                        floats(2, 5));
            case TOP_K ->
                Call.of(t -> kernels.vocabulary().topK(t[0], t[1], t[2]), x, floats(2, 3), of(ScalarType.Long, 2, 3));
            case ADAMW_PRODUCT ->
                Call.of(
                        t -> kernels.optimizer()
                                .adamwProduct(
                                        new OptimizerKernels.AdamW(1, 0, 0, 1, 0, 1), t[0], t[1], t[2], t[3], t[4]),
                        x,
                        floats(2, 4),
                        floats(2, 4),
                        floats(3, 2),
                        floats(3, 4));
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

    /** Another tensor than one that fits. */
    private enum Mistake {
        ANOTHER_TYPE,
        ANOTHER_DEVICE,
        A_ROW_MORE,
        A_COLUMN_MORE,
        ANOTHER_DIMENSION,
        COLUMNS_APART;

        Tensor of(Tensor right) {
            long[] shape = new long[(int) right.dim()];
            Arrays.setAll(shape, right::size);
            int last = shape.length - 1;
            return switch (this) {
                case ANOTHER_TYPE ->
                    right.to(right.scalar_type().intern() == ScalarType.Double ? ScalarType.Float : ScalarType.Double);
                case ANOTHER_DEVICE -> right.to(new Device("meta"), right.scalar_type());
                case A_ROW_MORE -> {
                    shape[0]++;
                    yield zeros(right, shape);
                }
                case A_COLUMN_MORE -> {
                    shape[last]++;
                    yield zeros(right, shape);
                }
                case ANOTHER_DIMENSION -> torch.stack(new TensorVector(right, right));
                case COLUMNS_APART -> {
                    long[] twice = Arrays.copyOf(shape, shape.length + 1);
                    twice[shape.length] = 2;
                    yield zeros(right, twice).select(shape.length, 0);
                }
            };
        }

        private static Tensor zeros(Tensor like, long... shape) {
            return torch.zeros(shape, new TensorOptions(like.scalar_type()));
        }
    }

    /** All but what is left to the caller: a number of columns that nothing else depends on, strides of what is copied. */
    private static Set<Mistake> mistakes(Function kernel, int tensor) {
        Set<Mistake> mistakes = EnumSet.allOf(Mistake.class);
        switch (kernel) {
            case PACK -> mistakes.removeAll(Set.of(Mistake.A_ROW_MORE, Mistake.A_COLUMN_MORE, Mistake.COLUMNS_APART));
            case PACK_F32 -> mistakes.removeAll(Set.of(Mistake.A_ROW_MORE, Mistake.A_COLUMN_MORE));
            case SOFTMAX_BLOCK -> {
                if (tensor == 0 || tensor == 5) {
                    mistakes.remove(Mistake.A_COLUMN_MORE);
                }
            }
            case TOP_K -> {
                if (tensor == 0) {
                    mistakes.remove(Mistake.A_COLUMN_MORE);
                }
            }
            default -> {}
        }
        return mistakes;
    }

    @ParameterizedTest
    @EnumSource
    void everyTensorOfAKernelIsChecked(Function kernel) {
        assumeTrue(Kernels.find().isPresent(), "kernels are built");
        try (TensorScope _ = new TensorScope()) {
            Call call = call(kernel, Kernels.find().orElseThrow());
            call.with(-1, null);
            for (int i = 0; i < call.tensors().size(); i++) {
                for (Mistake mistake : mistakes(kernel, i)) {
                    Tensor wrong = mistake.of(call.tensors().get(i));
                    int index = i;
                    String message = assertThrows(
                                    IllegalArgumentException.class,
                                    () -> call.with(index, wrong),
                                    mistake + " of tensor " + i)
                            .getMessage();
                    assertTrue(message.startsWith("kernel: "), message);
                }
            }
        }
    }

    /** A call that must not reach the native side, and what its error begins with. */
    private record Wrong(String message, Executable call) {}

    /** One of each kind of argument; [2, 4] throughout where nothing is wrong. */
    private static List<Wrong> wrong(Kernels kernels) {
        RowKernels rows = kernels.rows();
        HeadKernels heads = kernels.heads();
        ProductKernels products = kernels.products();
        Tensor x = floats(2, 4);
        Tensor doubles = torch.zeros(new long[] {2, 4}, new TensorOptions(torch.ScalarType.Double));
        Tensor bytes = torch.zeros(new long[] {2, 4}, new TensorOptions(torch.ScalarType.Byte));
        Tensor longs = torch.zeros(new long[] {2, 4}, new TensorOptions(torch.ScalarType.Long));
        ProductKernels.Packed strips = products.pack(floats(4, 130));
        ProductKernels.Packed packed = products.quantize(floats(4, 130));
        return List.of(
                new Wrong("x: expected Float on the CPU", () -> rows.gelu(doubles, x, null, null)),
                new Wrong("x: expected rows with contiguous columns", () -> rows.gelu(x.t(), x, null, null)),
                new Wrong("y: expected [2, 4], got [4, 2]", () -> rows.gelu(x, floats(4, 2), null, null)),
                new Wrong(
                        "y: expected rows 4 apart, got 8",
                        () -> rows.gelu(x, floats(2, 8).narrow(1, 0, 4), null, null)),
                new Wrong("slope: expected [2, 4], got [4, 2]", () -> rows.gelu(x, x, null, bytes.view(4, 2))),
                new Wrong("q: expected [2, 4], got [1, 4]", () -> rows.quantize(x, bits(1, 4), null)),
                new Wrong("q: expected [2, 8], got [2, 4]", () -> rows.quantize(floats(2, 5), bits(2, 4), null)),
                new Wrong(
                        "x and rest: expected equal row strides",
                        () -> rows.quantize(x, bits(2, 4), floats(2, 8).narrow(1, 0, 4))),
                new Wrong("q: expected rows in 8 bits, got null", () -> rows.quantize(x, null, null)),
                new Wrong("q: expected rows in 8 bits, got null", () -> rows.slopeBackward(x, bytes, null)),
                new Wrong(
                        "q: expected rows 4 apart, got 8",
                        () -> rows.quantize(
                                x,
                                new EightBits(
                                        bits(2, 8).q().narrow(1, 0, 4),
                                        floats(2),
                                        bits(2, 4).sum()),
                                null)),
                new Wrong(
                        "y: expected memory other than that of x",
                        () -> heads.headNorm(x, 2, floats(2), 1e-5, x, null)),
                new Wrong(
                        "dx: expected memory other than that of x",
                        () -> rows.swigluBackward(floats(2, 2), x, x, null)),
                new Wrong(
                        "packed weight: expected an address that is a multiple of 64",
                        () -> products.multiply(
                                x,
                                new ProductKernels.Packed(
                                        torch.cat(new TensorVector(floats(1), strips.memory()))
                                                .narrow(0, 1, strips.memory().numel()),
                                        4,
                                        130),
                                0,
                                null,
                                null,
                                floats(2, 130))),
                new Wrong("step: expected at least 1, got 0", () -> new OptimizerKernels.AdamW(1, 0, 0, 1, 0, 0)),
                new Wrong(
                        "weight: expected 4 contiguous",
                        () -> rows.layerNorm(x, floats(3), floats(4), 1e-5, x, null, null, null)),
                new Wrong(
                        "bias: expected a tensor, got null",
                        () -> rows.layerNorm(x, floats(4), null, 1e-5, x, null, null, null)),
                new Wrong(
                        "rstd: expected 2 contiguous",
                        () -> rows.layerNorm(x, floats(4), floats(4), 1e-5, x, null, floats(2), floats(4))),
                new Wrong(
                        "dx: expected [2, 4], got [2, 3]",
                        () -> rows.layerNormBackward(x, x, floats(4), floats(2), floats(2), floats(2, 3))),
                new Wrong("dy: expected [2, 4], got [1, 4]", () -> rows.geluBackward(floats(1, 4), x, x, null)),
                new Wrong(
                        "slope: expected [2, 4], got [1, 4]",
                        () -> rows.slopeBackward(x, bytes.narrow(0, 0, 1), bits(2, 4))),
                new Wrong("weight: expected 4 contiguous", () -> rows.rmsNorm(x, floats(3), 1e-5, x, null, null)),
                new Wrong(
                        "y: expected [2, 4], got [2, 3]",
                        () -> rows.rmsNorm(x, floats(4), 1e-5, floats(2, 3), null, null)),
                new Wrong(
                        "q: expected [2, 4], got [1, 4]",
                        () -> rows.rmsNorm(x, floats(4), 1e-5, null, bits(1, 4), null)),
                new Wrong("rstd: expected 2 contiguous", () -> rows.rmsNorm(x, floats(4), 1e-5, x, null, floats(3))),
                new Wrong(
                        "rstd: expected a tensor, got null",
                        () -> rows.rmsNormBackward(x, x, floats(4), null, floats(2, 4))),
                new Wrong(
                        "dx: expected rows 4 apart, got 8",
                        () -> rows.rmsNormBackward(
                                x, x, floats(4), floats(2), floats(2, 8).narrow(1, 0, 4))),
                new Wrong(
                        "x: expected as many gates as values, got 3 columns",
                        () -> rows.swiglu(floats(2, 3), floats(2, 1), null)),
                new Wrong("y: expected [2, 2], got [2, 4]", () -> rows.swiglu(x, floats(2, 4), null)),
                new Wrong("q: expected [2, 4], got [1, 4]", () -> rows.swiglu(x, null, bits(1, 4))),
                new Wrong("dy: expected [2, 2], got [2, 4]", () -> rows.swigluBackward(x, x, floats(2, 4), null)),
                new Wrong(
                        "dx: expected [2, 4], got [2, 2]",
                        () -> rows.swigluBackward(floats(2, 2), x, floats(2, 2), null)),
                new Wrong(
                        "q: expected [2, 8], got [2, 4]",
                        () -> rows.swigluBackward(floats(2, 4), floats(2, 8), null, bits(2, 4))),
                new Wrong(
                        "x: expected heads of equal width, got 4 columns for 3 heads",
                        () -> heads.rotate(x, 3, 2, floats(2, 2), false)),
                new Wrong(
                        "expected an even number of rotary columns, up to 2, got 4",
                        () -> heads.rotate(x, 2, 4, x, false)),
                new Wrong(
                        "expected an even number of rotary columns, up to 4, got 3",
                        () -> heads.rotate(x, 1, 3, floats(2, 3), false)),
                new Wrong("turn: expected [2, 2], got [1, 2]", () -> heads.rotate(x, 2, 2, floats(1, 2), true)),
                new Wrong(
                        "x: expected heads of equal width, got 4 columns for 0 heads",
                        () -> heads.headNorm(x, 0, floats(4), 1e-5, floats(2, 4), null)),
                new Wrong(
                        "weight: expected 2 contiguous",
                        () -> heads.headNorm(x, 2, floats(4), 1e-5, floats(2, 4), null)),
                new Wrong(
                        "y: expected [2, 4], got [1, 4]",
                        () -> heads.headNorm(x, 2, floats(2), 1e-5, floats(1, 4), null)),
                new Wrong(
                        "rstd: expected [2, 2], got [2, 1]",
                        () -> heads.headNorm(x, 2, floats(2), 1e-5, floats(2, 4), floats(2, 1))),
                new Wrong(
                        "rstd: expected a tensor, got null",
                        () -> heads.headNormBackward(x, x, 2, floats(2), null, floats(2, 4))),
                new Wrong(
                        "dx: expected [2, 4], got [2, 2]",
                        () -> heads.headNormBackward(x, x, 2, floats(2), floats(2, 2), floats(2, 2))),
                new Wrong(
                        "weight: expected [4, 3], got [5, 3]",
                        () -> products.multiply(x, floats(5, 3), null, null, floats(2, 3))),
                new Wrong(
                        "weight: expected contiguous rows or columns",
                        () -> products.multiply(x, floats(4, 6, 2).select(2, 0), null, null, floats(2, 6))),
                new Wrong(
                        "bias: expected 3 contiguous",
                        () -> products.multiply(x, floats(4, 3), floats(4), null, floats(2, 3))),
                new Wrong(
                        "residual: expected [2, 3], got [2, 4]",
                        () -> products.multiply(x, floats(4, 3), null, x, floats(2, 3))),
                new Wrong(
                        "y: expected [2, 3], got [1, 3]",
                        () -> products.multiply(x, floats(4, 3), null, null, floats(1, 3))),
                new Wrong(
                        "x: expected [2, 4], got [2, 5]",
                        () -> products.multiply(floats(2, 5), strips, 0, null, null, floats(2, 130))),
                new Wrong(
                        "expected outputs from a multiple of 64 on, within 130, got 64 from 128 on",
                        () -> products.multiply(x, strips, 128, null, null, floats(2, 64))),
                new Wrong(
                        "expected outputs from a multiple of 64 on, within 130, got 2 from 3 on",
                        () -> products.multiply(bits(2, 4), packed, 3, null, null, floats(2, 2))),
                new Wrong(
                        "packed weight: expected Byte on the CPU",
                        () -> products.multiply(bits(2, 4), strips, 0, null, null, floats(2, 130))),
                new Wrong("weight: expected float32 on the CPU, got Double", () -> products.pack(doubles)),
                new Wrong(
                        "weight: expected float32, bfloat16 or float16 on the CPU, got Double",
                        () -> products.quantize(doubles)),
                new Wrong(
                        "values: expected [2, 4], got [2, 5]",
                        () -> kernels.vocabulary().topK(x, floats(2, 5), longs)),
                new Wrong(
                        "indices: expected [2, 3], got [2, 4]",
                        () -> kernels.vocabulary().topK(x, floats(2, 3), longs)),
                new Wrong(
                        "targets: expected 2 contiguous",
                        () -> kernels.vocabulary().softmaxBlock(x, 0, longs, floats(2), doubles, floats(2), null)),
                new Wrong(
                        "right: expected [3, 4], got [2, 4]",
                        () -> kernels.optimizer()
                                .adamwProduct(new OptimizerKernels.AdamW(1, 0, 0, 1, 0, 1), x, x, x, floats(3, 2), x)));
    }

    @Test
    void whatDoesNotFitIsRefusedBeforeTheCall() {
        assumeTrue(Kernels.find().isPresent(), "kernels are built");
        try (TensorScope _ = new TensorScope()) {
            for (Wrong wrong : wrong(Kernels.find().orElseThrow())) {
                String message = assertThrows(IllegalArgumentException.class, wrong.call(), wrong.message())
                        .getMessage();
                assertTrue(message.startsWith("kernel: " + wrong.message()), message);
            }
        }
    }

    @Test
    void segmentsThatDoNotFitAreRefused() {
        assumeTrue(Kernels.find().isPresent(), "kernels are built");
        try (TensorScope _ = new TensorScope()) {
            AttentionKernels kernels = Kernels.find().orElseThrow().attention();
            Attention.Heads heads = new Attention.Heads(2, 1, 4, 2);
            KeysValues keys = KeysValues.of(floats(5, 4), floats(5, 4));
            Attention two = new Attention(heads, 1, true);
            two.see(keys);
            two.endRow(2);
            Attention one = new Attention(heads, 1, false);
            one.see(keys);
            one.endRow(1);
            List<Wrong> wrong = List.of(
                    new Wrong("got 3 heads of queries, 2 of keys", () -> new Attention.Heads(3, 2, 4, 0)),
                    new Wrong(
                            "expected a segment within 5 keys, got 3 from 3 on",
                            () -> new Attention(heads, 1, false).see(keys, 0, 3, 3, 0)),
                    new Wrong(
                            "expected a segment within 5 keys, got 1 from -1 on",
                            () -> new Attention(heads, 1, false).see(keys, 0, -1, 1, 0)),
                    new Wrong(
                            "expected keys of Heads[queries=4, keys=2",
                            () -> new Attention(new Attention.Heads(4, 2, 4, 0), 1, false).see(keys)),
                    new Wrong(
                            "expected a segment of the row's own tokens, got none",
                            () -> new Attention(heads, 1, true).endRow(1)),
                    new Wrong("values: expected [5, 4], got [4, 4]", () -> KeysValues.of(floats(5, 4), floats(4, 4))),
                    new Wrong(
                            "memory: expected [2, 4], got [3, 4]",
                            () -> KeysValues.layers(floats(1, 2, 2, 4)).withGradient(floats(1, 2, 3, 4))),
                    new Wrong(
                            "dKeys: expected a gradient of 2 layers, got one layer",
                            () -> KeysValues.layers(floats(2, 2, 3, 4)).withGradient(floats(3, 4), floats(3, 4))),
                    new Wrong("expected at least 0 queries, got -1", () -> new Attention(heads, 1, false).endRow(-1)),
                    new Wrong("memory: expected [L, 2, T, W] contiguous", () -> KeysValues.layers(floats(3, 1, 5, 8))),
                    new Wrong("expected a query's position below 5, got 5", () -> {
                        Attention row = new Attention(heads, 1, true);
                        row.see(keys);
                        row.endRow(1, new int[] {5}, 0);
                    }),
                    new Wrong(
                            "q: expected [2, 8], got [3, 8]",
                            () -> kernels.forward(two, floats(3, 8), floats(2, 8), null)),
                    new Wrong(
                            "y: expected [2, 8], got [2, 4]",
                            () -> kernels.forward(two, floats(2, 8), floats(2, 4), null)),
                    new Wrong(
                            "lse: expected [2, 2], got [2, 1]",
                            () -> kernels.forward(two, floats(2, 8), floats(2, 8), floats(2, 1))),
                    new Wrong(
                            "expected a layer below 1, got 1",
                            () -> new Attention(heads, 1, false).see(keys, 1, 0, 1, 0)),
                    new Wrong(
                            "lse: expected a tensor, got null",
                            () -> kernels.backward(two, floats(2, 8), floats(2, 8), null, floats(2, 8), null)),
                    new Wrong(
                            "expected one query for each of 1 rows, got 2",
                            () -> kernels.decode(two, floats(1, 8), floats(1, 8))),
                    new Wrong("q: expected [1, 8], got [2, 8]", () -> kernels.decode(one, floats(2, 8), floats(1, 8))));
            for (Wrong each : wrong) {
                String message = assertThrows(IllegalArgumentException.class, each.call(), each.message())
                        .getMessage();
                assertTrue(message.startsWith("kernel: " + each.message()), message);
            }
        }
    }

    @Test
    void rowsIn8BitsAreWrittenOnlyWhereTheyAre() {
        assumeTrue(Kernels.find().isPresent(), "kernels are built");
        RowKernels rows = Kernels.find().orElseThrow().rows();
        try (TensorScope _ = new TensorScope()) {
            Tensor wide = of(ScalarType.Char, 1, 64).fill_(new Scalar(7));
            rows.quantize(floats(1, 5), new EightBits(wide.narrow(1, 0, 8), floats(1), of(ScalarType.Int, 1)), null);
            assertEquals(127, wide.select(1, 4).item_int());
            assertEquals(0, wide.select(1, 7).item_int());
            assertEquals(7, wide.select(1, 8).item_int());
        }
    }
}
