package dev.prefix4j.kernels;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.prefix4j.torch.TensorScope;
import dev.prefix4j.torch.TorchRuntime;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.function.UnaryOperator;
import org.bytedeco.pytorch.BoolOptional;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.ScalarTypeOptional;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorArrayRefOptional;
import org.bytedeco.pytorch.TensorOptions;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class KernelsTest {
    private static int run(String... command) throws IOException, InterruptedException {
        Path log = Path.of("target/native-sanitized.log");
        Process process = new ProcessBuilder(command)
                .redirectErrorStream(true)
                .redirectOutput(ProcessBuilder.Redirect.appendTo(log.toFile()))
                .start();
        if (!process.waitFor(2, TimeUnit.HOURS)) { // no measure: it ends a test that would never end
            process.destroyForcibly();
            throw new AssertionError(String.join(" ", command) + " did not end; see " + log);
        }
        return process.exitValue();
    }

    private static boolean available(String... command) {
        try {
            return run(command) == 0;
        } catch (IOException e) {
            return false;
        } catch (InterruptedException e) {
            throw new AssertionError(e);
        }
    }

    /** Every kernel in every variant, against references of its own, watched by the address and behaviour sanitizers. */
    @Test
    void nativeTestsPassUnderSanitizers() throws Exception {
        assumeTrue(available("cmake", "--version"), "CMake is there");
        Path build = Path.of("target/native-sanitized");
        assumeTrue(
                available("cmake", "-S", "native", "-B", build.toString(), "-DPREFIX4J_SANITIZE=ON"),
                "a compiler with sanitizers is there");
        assertEquals(
                0,
                run("cmake", "--build", build.toString(), "--target", "prefix4j_test", "-j2"),
                "build: target/native-sanitized.log");
        assertEquals(
                0,
                run(build.resolve("prefix4j_test").toString()),
                Files.readString(Path.of("target/native-sanitized.log")));
    }

    private static Tensor floats(long... shape) {
        return torch.ones(shape, new TensorOptions(torch.ScalarType.Float));
    }

    private static EightBits bits(long rows, long columns) {
        return new EightBits(
                torch.zeros(new long[] {rows, columns}, new TensorOptions(torch.ScalarType.Char)),
                floats(rows),
                torch.zeros(new long[] {rows}, new TensorOptions(torch.ScalarType.Int)));
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
                new Wrong("x: expected rows of columns side by side", () -> rows.gelu(x.t(), x, null, null)),
                new Wrong("y: expected [2, 4], got [4, 2]", () -> rows.gelu(x, floats(4, 2), null, null)),
                new Wrong(
                        "y: expected rows 4 apart, got 8",
                        () -> rows.gelu(x, floats(2, 8).narrow(1, 0, 4), null, null)),
                new Wrong("slope: expected [2, 4], got [4, 2]", () -> rows.gelu(x, x, null, bytes.view(4, 2))),
                new Wrong("q: expected [2, 4], got [1, 4]", () -> rows.quantize(x, bits(1, 4), null)),
                new Wrong("q: expected [2, 8], got [2, 4]", () -> rows.quantize(floats(2, 5), bits(2, 4), null)),
                new Wrong(
                        "x and rest: expected rows as far apart",
                        () -> rows.quantize(x, bits(2, 4), floats(2, 8).narrow(1, 0, 4))),
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
                        "x: expected heads of one width, got 4 columns for 3 heads",
                        () -> heads.rotate(x, 3, 2, floats(2, 2), false)),
                new Wrong(
                        "expected an even number of columns that turn, up to 2, got 4",
                        () -> heads.rotate(x, 2, 4, x, false)),
                new Wrong(
                        "expected an even number of columns that turn, up to 4, got 3",
                        () -> heads.rotate(x, 1, 3, floats(2, 3), false)),
                new Wrong("turn: expected [2, 2], got [1, 2]", () -> heads.rotate(x, 2, 2, floats(1, 2), true)),
                new Wrong(
                        "x: expected heads of one width, got 4 columns for 0 heads",
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
                        "expected outputs from a multiple of 64 on and below 130, got 64 from 128",
                        () -> products.multiply(x, strips, 128, null, null, floats(2, 64))),
                new Wrong(
                        "expected outputs from a multiple of 64 on and below 130, got 2 from 3",
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

    /** Normal numbers [rows, columns], rows apart. */
    private static Tensor apart(long rows, long columns) {
        return torch.randn(new long[] {rows, columns + 3}).narrow(1, 0, columns);
    }

    private static void assertNear(Tensor expected, Tensor actual, String what) {
        assertTrue(torch.allclose(actual, expected, 1e-5, 1e-5, false), what);
    }

    /** What libtorch gives for the gradient of x. */
    private static Tensor gradient(UnaryOperator<Tensor> forward, Tensor x, Tensor dy) {
        Tensor leaf = x.clone().requires_grad_(true);
        forward.apply(leaf).backward(dy, new BoolOptional(), false, new TensorArrayRefOptional());
        return leaf.grad();
    }

    /** 8-bit rows of x, which are to be its nearest. */
    private static EightBits assertHolds(Tensor x, EightBits rows) {
        Tensor scale = rows.scale().unsqueeze(1);
        Tensor held =
                rows.q().narrow(1, 0, x.size(1)).to(torch.ScalarType.Float).mul(scale);
        Tensor within = held.sub(x).abs().le(scale.mul(new Scalar(0.501)));
        assertTrue(within.all().item_bool(), "nearest of 8 bits");
        return rows;
    }

    /** That a row's 8 bits are those of the row alone, bit for bit. */
    private static void assertSame(EightBits rows, long row, EightBits alone) {
        assertTrue(rows.q().narrow(0, row, 1).equal(alone.q()), "8 bits of the row alone");
        assertTrue(rows.scale().narrow(0, row, 1).equal(alone.scale()), "scale of the row alone");
    }

    /** x · rstd · weight over the last dimension. */
    private static Tensor rmsNorm(Tensor x, Tensor weight) {
        Tensor squares = x.mul(x).mean(new long[] {-1}, true, new ScalarTypeOptional());
        return x.mul(squares.add(new Scalar(1e-5)).rsqrt()).mul(weight);
    }

    @ParameterizedTest
    @ValueSource(longs = {0, 1, 7, 33})
    void rmsNormIsLibtorchs(long n) {
        assumeTrue(Kernels.find().isPresent(), "kernels are built");
        RowKernels rows = Kernels.find().orElseThrow().rows();
        try (TensorScope _ = new TensorScope()) {
            TorchRuntime.seed(3);
            Tensor x = apart(n, 777);
            Tensor weight = torch.randn(777);
            Tensor dy = torch.randn(n, 777);
            Tensor before = torch.randn(n, 777);
            Tensor y = floats(n, 777);
            Tensor rstd = floats(n);
            Tensor dx = before.clone();
            EightBits out = bits(n, 780);
            rows.rmsNorm(x, weight, 1e-5, y, null, rstd);
            rows.rmsNorm(x, weight, 1e-5, null, out, null);
            rows.rmsNormBackward(dy, x, weight, rstd, dx);
            assertNear(rmsNorm(x, weight), y, "y");
            assertHolds(y, out);
            assertNear(before.add(gradient(leaf -> rmsNorm(leaf, weight), x, dy)), dx, "dx");
            for (long r = 0; r < n; r++) {
                Tensor one = floats(1, 777);
                EightBits bits = bits(1, 780);
                rows.rmsNorm(x.narrow(0, r, 1), weight, 1e-5, one, bits, null);
                assertTrue(one.equal(y.narrow(0, r, 1)), "y of the row alone");
                assertSame(out, r, bits);
                Tensor down = before.narrow(0, r, 1).clone();
                rows.rmsNormBackward(dy.narrow(0, r, 1), x.narrow(0, r, 1), weight, rstd.narrow(0, r, 1), down);
                assertTrue(down.equal(dx.narrow(0, r, 1)), "dx of the row alone");
            }
        }
    }

    private static Tensor swiglu(Tensor x) {
        TensorVector halves = x.chunk(2, 1);
        return torch.silu(halves.get(0)).mul(halves.get(1));
    }

    @ParameterizedTest
    @ValueSource(longs = {0, 1, 7, 33})
    void swigluIsLibtorchs(long n) {
        assumeTrue(Kernels.find().isPresent(), "kernels are built");
        RowKernels rows = Kernels.find().orElseThrow().rows();
        try (TensorScope _ = new TensorScope()) {
            TorchRuntime.seed(4);
            Tensor x = apart(n, 2 * 777).mul_(new Scalar(3));
            Tensor dy = torch.randn(n, 777);
            Tensor y = floats(n, 777);
            Tensor dx = floats(n, 2 * 777);
            EightBits out = bits(n, 780);
            EightBits back = bits(n, 1556);
            rows.swiglu(x, y, null);
            rows.swiglu(x, null, out);
            rows.swigluBackward(dy, x, dx, null);
            rows.swigluBackward(dy, x, null, back);
            assertNear(swiglu(x), y, "y");
            assertHolds(y, out);
            assertNear(gradient(KernelsTest::swiglu, x, dy), dx, "dx");
            assertHolds(dx, back);
            for (long r = 0; r < n; r++) {
                Tensor one = floats(1, 777);
                Tensor down = floats(1, 2 * 777);
                EightBits bits = bits(1, 780);
                EightBits downBits = bits(1, 1556);
                rows.swiglu(x.narrow(0, r, 1), one, bits);
                rows.swigluBackward(dy.narrow(0, r, 1), x.narrow(0, r, 1), down, downBits);
                assertTrue(one.equal(y.narrow(0, r, 1)), "y of the row alone");
                assertTrue(down.equal(dx.narrow(0, r, 1)), "dx of the row alone");
                assertSame(out, r, bits);
                assertSame(back, r, downBits);
            }
        }
    }

    /** Five heads of 21 columns, of which 14 turn. */
    private static Tensor rotated(Tensor x, Tensor turn) {
        Tensor heads = x.reshape(x.size(0), 5, 21);
        Tensor first = heads.narrow(2, 0, 7);
        Tensor second = heads.narrow(2, 7, 7);
        Tensor cosine = turn.narrow(1, 0, 7).unsqueeze(1);
        Tensor sine = turn.narrow(1, 7, 7).unsqueeze(1);
        return torch.cat(
                        new TensorVector(
                                first.mul(cosine).sub(second.mul(sine)),
                                second.mul(cosine).add(first.mul(sine)),
                                heads.narrow(2, 14, 7)),
                        2)
                .reshape(x.size(0), 5 * 21);
    }

    @ParameterizedTest
    @ValueSource(longs = {0, 1, 7, 33})
    void rotationIsLibtorchs(long n) {
        assumeTrue(Kernels.find().isPresent(), "kernels are built");
        HeadKernels kernels = Kernels.find().orElseThrow().heads();
        try (TensorScope _ = new TensorScope()) {
            TorchRuntime.seed(5);
            Tensor before = torch.randn(n, 5 * 21);
            Tensor angles = torch.randn(n, 7).mul(new Scalar(50));
            Tensor turn = torch.cat(new TensorVector(angles.cos(), angles.sin()), 1);
            Tensor x = apart(n, 5 * 21).copy_(before);
            kernels.rotate(x, 5, 14, turn, false);
            assertNear(rotated(before, turn), x, "x");
            Tensor dy = apart(n, 5 * 21);
            Tensor expected = gradient(leaf -> rotated(leaf, turn), before, dy);
            kernels.rotate(dy, 5, 14, turn, true);
            assertNear(expected, dy, "dx");
            for (long r = 0; r < n; r++) {
                Tensor one = before.narrow(0, r, 1).clone();
                kernels.rotate(one, 5, 14, turn.narrow(0, r, 1), false);
                assertTrue(one.equal(x.narrow(0, r, 1)), "x of the row alone");
            }
            kernels.rotate(x, 5, 14, turn, true);
            assertNear(before, x, "turned back");
        }
    }

    @ParameterizedTest
    @ValueSource(longs = {0, 1, 7, 33})
    void normOfHeadsIsLibtorchs(long n) {
        assumeTrue(Kernels.find().isPresent(), "kernels are built");
        HeadKernels kernels = Kernels.find().orElseThrow().heads();
        try (TensorScope _ = new TensorScope()) {
            TorchRuntime.seed(6);
            Tensor x = apart(n, 5 * 21);
            Tensor weight = torch.randn(21);
            Tensor dy = apart(n, 5 * 21);
            Tensor y = apart(n, 5 * 21);
            Tensor dx = apart(n, 5 * 21);
            Tensor rstd = floats(n, 5);
            UnaryOperator<Tensor> norm =
                    rows -> rmsNorm(rows.reshape(n, 5, 21), weight).reshape(n, 5 * 21);
            kernels.headNorm(x, 5, weight, 1e-5, y, rstd);
            kernels.headNormBackward(dy, x, 5, weight, rstd, dx);
            assertNear(norm.apply(x), y, "y");
            assertNear(gradient(norm, x, dy), dx, "dx");
            for (long r = 0; r < n; r++) {
                Tensor one = floats(1, 5 * 21);
                Tensor down = dy.narrow(0, r, 1).clone();
                kernels.headNorm(x.narrow(0, r, 1), 5, weight, 1e-5, one, null);
                kernels.headNormBackward(down, x.narrow(0, r, 1), 5, weight, rstd.narrow(0, r, 1), down);
                assertTrue(one.equal(y.narrow(0, r, 1)), "y of the row alone");
                assertTrue(down.equal(dx.narrow(0, r, 1)), "dx of the row alone, over dy");
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
                            "expected a segment of the keys 0 to 5, got 3 from 3 on",
                            () -> new Attention(heads, 1, false).see(keys, 0, 3, 3, 0)),
                    new Wrong(
                            "expected a segment of the keys 0 to 5, got 1 from -1 on",
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
                            "expected a query for each of 1 rows, got 2",
                            () -> kernels.decode(two, floats(1, 8), floats(1, 8))),
                    new Wrong("q: expected [1, 8], got [2, 8]", () -> kernels.decode(one, floats(2, 8), floats(1, 8))));
            for (Wrong each : wrong) {
                String message = assertThrows(IllegalArgumentException.class, each.call(), each.message())
                        .getMessage();
                assertTrue(message.startsWith("kernel: " + each.message()), message);
            }
        }
    }
}
