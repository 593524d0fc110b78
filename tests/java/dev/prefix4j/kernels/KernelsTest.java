package dev.prefix4j.kernels;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.prefix4j.torch.TensorScope;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptions;
import org.bytedeco.pytorch.global.torch;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;

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
                new Wrong("weight: expected a float32 matrix", () -> products.pack(doubles)),
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
