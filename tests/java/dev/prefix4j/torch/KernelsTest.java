package dev.prefix4j.torch;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptions;
import org.bytedeco.pytorch.global.torch;
import org.junit.jupiter.api.Test;

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

    @Test
    void tensorsOfAnotherTypeAreRefused() {
        assumeTrue(Kernels.find().isPresent(), "kernels are built");
        try (TensorScope _ = new TensorScope()) {
            Tensor doubles = torch.zeros(new long[] {2, 4}, new TensorOptions(torch.ScalarType.Double));
            Tensor floats = torch.zeros(new long[] {2, 4});
            Kernels kernels = Kernels.find().orElseThrow();
            assertThrows(IllegalArgumentException.class, () -> kernels.gelu(doubles, floats, null, null, null, null));
            assertThrows(
                    IllegalArgumentException.class,
                    () -> kernels.gelu(floats.t(), floats.clone(), null, null, null, null));
        }
    }
}
