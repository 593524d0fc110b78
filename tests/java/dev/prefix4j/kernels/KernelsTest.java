package dev.prefix4j.kernels;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.prefix4j.torch.TensorScope;
import dev.prefix4j.torch.TorchRuntime;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
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

    /** Every kernel in every variant, against its own references, under the address and undefined-behaviour sanitizers. */
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

    static Tensor floats(long... shape) {
        return torch.ones(shape, new TensorOptions(torch.ScalarType.Float));
    }

    static EightBits bits(long rows, long columns) {
        return new EightBits(
                torch.zeros(new long[] {rows, columns}, new TensorOptions(torch.ScalarType.Char)),
                floats(rows),
                torch.zeros(new long[] {rows}, new TensorOptions(torch.ScalarType.Int)));
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

    /** That 8-bit rows are the nearest to the mixed rows of x. */
    private static EightBits assertHolds(Tensor x, EightBits rows) {
        Tensor scale = rows.scale().unsqueeze(1);
        Tensor held =
                rows.q().narrow(1, 0, x.size(1)).to(torch.ScalarType.Float).mul(scale);
        Tensor within = held.sub(MixedRows.of(x)).abs().le(scale.mul(new Scalar(0.501)));
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
}
