package dev.prefix4j.torch;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.prefix4j.SettingException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class TorchRuntimeTest {
    /** In a separate process: starts on a thread without a context class loader, and says what was chosen. */
    public static void main(String[] arguments) throws InterruptedException {
        Thread thread = new Thread(() ->
                TorchRuntime.require().describe().forEach((name, value) -> System.out.println(name + ": " + value)));
        thread.setContextClassLoader(null);
        thread.start();
        thread.join();
    }

    private static String start(Map<String, String> environment, String... options)
            throws IOException, InterruptedException {
        List<String> command = new ArrayList<>(List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "--enable-native-access=ALL-UNNAMED",
                "-Xmx64m"));
        command.addAll(List.of(options));
        command.addAll(List.of("-cp", System.getProperty("java.class.path"), TorchRuntimeTest.class.getName()));
        ProcessBuilder builder = new ProcessBuilder(command).redirectErrorStream(true);
        builder.environment().keySet().removeAll(List.of("OMP_NUM_THREADS", "MKL_NUM_THREADS"));
        builder.environment().putAll(environment);
        Process process = builder.start();
        String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        process.waitFor();
        return output;
    }

    @Test
    void startsOnAThreadWithoutAContextClassLoader() throws Exception {
        String output = start(Map.of("OMP_NUM_THREADS", "3"));
        assertTrue(output.contains("threads: 3, from OMP_NUM_THREADS"), output);
    }

    @Test
    void aHostThatSaysNoIsLeftAlone() throws Exception {
        String output = start(Map.of(), "-Dprefix4j.process-settings=off");
        assertTrue(output.contains("blas: OpenBLAS, on its own threads\n"), output);
        assertTrue(output.contains("openmp: left to the host"), output);
        assertTrue(output.contains("allocator: the C library's default"), output);
    }

    @ParameterizedTest
    @CsvSource({
        "5,,,5,as requested",
        "5,3,2,5,as requested",
        ",3,2,3,from OMP_NUM_THREADS",
        ",'4,2',,4,from OMP_NUM_THREADS",
        ",,2,2,from MKL_NUM_THREADS",
        ",' ',,8,one for each processor",
        ",,,8,one for each processor"
    })
    void theOptionWinsOverTheEnvironmentAndThatOverTheMachine(
            Integer asked, String omp, String mkl, int count, String from) {
        assertEquals(
                new Threads(count, from),
                Threads.choose(
                        asked == null ? OptionalInt.empty() : OptionalInt.of(asked),
                        Map.of("OMP_NUM_THREADS", omp == null ? "" : omp, "MKL_NUM_THREADS", mkl == null ? "" : mkl),
                        8));
    }

    @ParameterizedTest
    @CsvSource({"0", "-1", "two", "1.5", "999999"})
    void aVariableThatIsNotANumberOfThreadsIsRefused(String value) {
        SettingException e = assertThrows(
                SettingException.class, () -> Threads.choose(OptionalInt.empty(), Map.of("OMP_NUM_THREADS", value), 8));
        assertEquals("OMP_NUM_THREADS: expected a number of threads, found '" + value + "'", e.getMessage());
    }

    @Test
    void aBlasThatIsUnknownOrComesTooLateIsRefused() throws Exception {
        assertTrue(start(Map.of("PREFIX4J_BLAS", "blis"))
                .contains("SettingException: PREFIX4J_BLAS: expected auto, mkl or openblas, found 'blis'"));
        assertTrue(start(Map.of("PREFIX4J_BLAS", "")).contains("blas: "));
        Blas loaded = TorchRuntime.require().blas();
        Blas other = loaded == Blas.MKL ? Blas.OPENBLAS : Blas.MKL;
        String message = assertThrows(
                        SettingException.class,
                        () -> TorchRuntime.start(new TorchRuntime.Options(OptionalInt.empty(), other)))
                .getMessage();
        assertEquals("BLAS '%s': libtorch has been loaded with %s in this process".formatted(other, loaded), message);
    }
}
