package dev.prefix4j.kernels;

import static dev.prefix4j.kernels.KernelCall.zeros;
import static dev.prefix4j.kernels.KernelsTest.bits;
import static dev.prefix4j.kernels.KernelsTest.floats;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.prefix4j.torch.TensorScope;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;

/** What does not fit is refused before a native call, with a message that names it: one of each kind of argument. */
class KernelRefusalTest {
    /** A call that must not reach the native side, and what its error begins with; [2, 4] where nothing is wrong. */
    private record Wrong(String message, Executable call) {}

    private static Kernels kernels() {
        assumeTrue(Kernels.find().isPresent(), "kernels are built");
        return Kernels.find().orElseThrow();
    }

    private static void requireRefused(Wrong... all) {
        for (Wrong wrong : all) {
            String message = assertThrows(IllegalArgumentException.class, wrong.call(), wrong.message())
                    .getMessage();
            assertTrue(message.startsWith("kernel: " + wrong.message()), message);
        }
    }

    @Test
    void rowsThatDoNotFitAreRefused() {
        Kernels kernels = kernels();
        try (TensorScope _ = new TensorScope()) {
            RowKernels rows = kernels.rows();
            Tensor x = floats(2, 4);
            Tensor bytes = zeros(ScalarType.Byte, 2, 4);
            Tensor doubles = zeros(ScalarType.Double, 2, 4);
            requireRefused(
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
                    new Wrong("dy: expected [2, 4], got [1, 4]", () -> rows.geluBackward(floats(1, 4), x, x, null)),
                    new Wrong(
                            "slope: expected [2, 4], got [1, 4]",
                            () -> rows.slopeBackward(x, bytes.narrow(0, 0, 1), bits(2, 4))));
        }
    }

    @Test
    void normalizationsThatDoNotFitAreRefused() {
        Kernels kernels = kernels();
        try (TensorScope _ = new TensorScope()) {
            RowKernels rows = kernels.rows();
            Tensor x = floats(2, 4);
            requireRefused(
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
                    new Wrong("weight: expected 4 contiguous", () -> rows.rmsNorm(x, floats(3), 1e-5, x, null, null)),
                    new Wrong(
                            "y: expected [2, 4], got [2, 3]",
                            () -> rows.rmsNorm(x, floats(4), 1e-5, floats(2, 3), null, null)),
                    new Wrong(
                            "q: expected [2, 4], got [1, 4]",
                            () -> rows.rmsNorm(x, floats(4), 1e-5, null, bits(1, 4), null)),
                    new Wrong(
                            "rstd: expected 2 contiguous", () -> rows.rmsNorm(x, floats(4), 1e-5, x, null, floats(3))),
                    new Wrong(
                            "rstd: expected a tensor, got null",
                            () -> rows.rmsNormBackward(x, x, floats(4), null, floats(2, 4))),
                    new Wrong(
                            "dx: expected rows 4 apart, got 8",
                            () -> rows.rmsNormBackward(
                                    x, x, floats(4), floats(2), floats(2, 8).narrow(1, 0, 4))));
        }
    }

    @Test
    void gatesThatDoNotFitAreRefused() {
        Kernels kernels = kernels();
        try (TensorScope _ = new TensorScope()) {
            RowKernels rows = kernels.rows();
            Tensor x = floats(2, 4);
            requireRefused(
                    new Wrong(
                            "dx: expected memory other than that of x",
                            () -> rows.swigluBackward(floats(2, 2), x, x, null)),
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
                            () -> rows.swigluBackward(floats(2, 4), floats(2, 8), null, bits(2, 4))));
        }
    }

    @Test
    void headsThatDoNotFitAreRefused() {
        Kernels kernels = kernels();
        try (TensorScope _ = new TensorScope()) {
            HeadKernels heads = kernels.heads();
            Tensor x = floats(2, 4);
            requireRefused(
                    new Wrong(
                            "y: expected memory other than that of x",
                            () -> heads.headNorm(x, 2, floats(2), 1e-5, x, null)),
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
                            () -> heads.headNormBackward(x, x, 2, floats(2), floats(2, 2), floats(2, 2))));
        }
    }

    @Test
    void productsThatDoNotFitAreRefused() {
        Kernels kernels = kernels();
        try (TensorScope _ = new TensorScope()) {
            ProductKernels products = kernels.products();
            Tensor x = floats(2, 4);
            Tensor doubles = zeros(ScalarType.Double, 2, 4);
            ProductKernels.Packed strips = products.pack(floats(4, 130));
            ProductKernels.Packed packed = products.quantize(floats(4, 130));
            requireRefused(
                    new Wrong(
                            "packed weight: expected an address that is a multiple of 64",
                            () -> products.multiply(
                                    x,
                                    new ProductKernels.Packed(
                                            torch.cat(new TensorVector(floats(1), strips.memory()))
                                                    .narrow(
                                                            0,
                                                            1,
                                                            strips.memory().numel()),
                                            4,
                                            130),
                                    0,
                                    null,
                                    null,
                                    floats(2, 130))),
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
                            () -> products.quantize(doubles)));
        }
    }

    @Test
    void argumentsOfVocabularyAndOptimizerThatDoNotFitAreRefused() {
        Kernels kernels = kernels();
        try (TensorScope _ = new TensorScope()) {
            Tensor x = floats(2, 4);
            Tensor longs = zeros(ScalarType.Long, 2, 4);
            Tensor doubles = zeros(ScalarType.Double, 2, 4);
            requireRefused(
                    new Wrong("step: expected at least 1, got 0", () -> new OptimizerKernels.AdamW(1, 0, 0, 1, 0, 0)),
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
                                    .adamwProduct(
                                            new OptimizerKernels.AdamW(1, 0, 0, 1, 0, 1), x, x, x, floats(3, 2), x)));
        }
    }

    @Test
    void segmentsThatDoNotFitAreRefused() {
        kernels();
        try (TensorScope _ = new TensorScope()) {
            Attention.Heads heads = new Attention.Heads(2, 1, 4, 2);
            KeysValues keys = KeysValues.of(floats(5, 4), floats(5, 4));
            requireRefused(
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
                            "expected a layer below 1, got 1",
                            () -> new Attention(heads, 1, false).see(keys, 1, 0, 1, 0)));
        }
    }

    @Test
    void attentionThatDoesNotFitIsRefused() {
        AttentionKernels kernels = kernels().attention();
        try (TensorScope _ = new TensorScope()) {
            Attention.Heads heads = new Attention.Heads(2, 1, 4, 2);
            KeysValues keys = KeysValues.of(floats(5, 4), floats(5, 4));
            Attention two = new Attention(heads, 1, true);
            two.see(keys);
            two.endRow(2);
            Attention one = new Attention(heads, 1, false);
            one.see(keys);
            one.endRow(1);
            requireRefused(
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
                            "lse: expected a tensor, got null",
                            () -> kernels.backward(two, floats(2, 8), floats(2, 8), null, floats(2, 8), null)),
                    new Wrong(
                            "expected one query for each of 1 rows, got 2",
                            () -> kernels.decode(two, floats(1, 8), floats(1, 8))),
                    new Wrong("q: expected [1, 8], got [2, 8]", () -> kernels.decode(one, floats(2, 8), floats(1, 8))));
        }
    }
}
