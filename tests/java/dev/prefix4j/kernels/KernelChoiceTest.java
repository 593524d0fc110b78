package dev.prefix4j.kernels;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.File;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileSystem;
import java.nio.file.FileSystems;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Which kernels run: what the processor has, what was requested, and nothing else in silence. */
class KernelChoiceTest {
    /** In a separate process: says what is used. */
    public static void main(String[] arguments) {
        System.out.println("kernels: " + Kernels.describe());
    }

    /** What a process has said, in lines, and its exit code. */
    private record Ended(int code, String output) {}

    private static String start(String wanted, String classPath) throws IOException, InterruptedException {
        return run(wanted, classPath, KernelChoiceTest.class.getName()).output();
    }

    private static Ended run(String wanted, String classPath, String... program)
            throws IOException, InterruptedException {
        List<String> command = new ArrayList<>(List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "--enable-native-access=ALL-UNNAMED",
                "-Xmx64m",
                "-cp",
                classPath));
        command.addAll(List.of(program));
        ProcessBuilder builder = new ProcessBuilder(command).redirectErrorStream(true);
        builder.environment().remove("PREFIX4J_KERNELS");
        if (wanted != null) {
            builder.environment().put("PREFIX4J_KERNELS", wanted);
        }
        Process process = builder.start();
        String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        return new Ended(process.waitFor(), output);
    }

    private static String start(String wanted) throws IOException, InterruptedException {
        return start(wanted, System.getProperty("java.class.path"));
    }

    /** What Linux says of the processor. */
    private static Set<String> flags() throws IOException {
        Path info = Path.of("/proc/cpuinfo");
        assumeTrue(Files.exists(info), "Linux lists what the processor has");
        return Files.readAllLines(info).stream()
                .filter(line -> line.startsWith("flags"))
                .findFirst()
                .map(line ->
                        Set.of(line.substring(line.indexOf(':') + 1).strip().split(" +")))
                .orElse(Set.of());
    }

    private static boolean has(String set) throws IOException {
        List<String> avx2 = List.of("avx2", "fma");
        List<String> avx512 = List.of("fma", "avx512f", "avx512bw", "avx512vl", "avx512dq");
        return switch (set) {
            case "avx512vnni" -> flags().containsAll(avx512) && flags().contains("avx512_vnni");
            case "avx512" -> flags().containsAll(avx512);
            case "avx2" -> flags().containsAll(avx2);
            default -> true;
        };
    }

    @Test
    void theBestInstructionSetOfTheProcessorIsTaken() throws Exception {
        assumeTrue(Kernels.find().isPresent(), "kernels are built");
        String best = "portable";
        for (String set : List.of("avx2", "avx512", "avx512vnni")) {
            best = has(set) ? set : best;
        }
        assertEquals("kernels: prefix4j's, " + best, start(null).strip());
    }

    @ParameterizedTest
    @ValueSource(strings = {"avx512vnni", "avx512", "avx2", "portable"})
    void theRequestedOneIsUsedOrRefused(String set) throws Exception {
        assumeTrue(Kernels.find().isPresent(), "kernels are built");
        String output = start(set);
        if (has(set)) {
            assertEquals("kernels: prefix4j's, " + set, output.strip());
            return;
        }
        List<String> had = new ArrayList<>(List.of("off"));
        for (String other : Kernels.SETS) {
            if (has(other)) {
                had.add(other);
            }
        }
        String last = had.removeLast(); // portable is always there
        String expected =
                "SettingException: PREFIX4J_KERNELS: expected %s or %s, found '%s', which this processor does not support"
                        .formatted(String.join(", ", had), last, set);
        assertTrue(output.contains(expected), output);
    }

    @Test
    void whatIsNotAnInstructionSetIsRefused() throws Exception {
        String output = start("avx1024");
        assertTrue(
                output.contains(
                        "PREFIX4J_KERNELS: expected off, avx512vnni, avx512, avx2 or portable, found 'avx1024'"),
                output);
        assertEquals(
                "kernels: libtorch's only (prefix4j's are switched off by PREFIX4J_KERNELS)",
                start("off").strip());
    }

    private static void copy(Path classes, Path copy) throws IOException {
        try (Stream<Path> files = Files.walk(classes)) {
            for (Path file : (Iterable<Path>)
                    files.filter(f -> !f.startsWith(classes.resolve("dev/prefix4j/native")))::iterator) {
                Path to = copy.resolve(classes.relativize(file).toString());
                if (Files.isDirectory(file)) {
                    Files.createDirectories(to);
                } else {
                    Files.copy(file, to);
                }
            }
        }
    }

    /** The class path with a copy of our classes that lacks the library. */
    private static String withoutLibrary(Path copy) throws Exception {
        Path classes = Path.of(Kernels.class
                .getProtectionDomain()
                .getCodeSource()
                .getLocation()
                .toURI());
        if (Files.isDirectory(classes)) {
            copy(classes, copy);
        } else {
            try (FileSystem jar = FileSystems.newFileSystem(classes)) {
                copy(jar.getPath("/"), copy);
            }
        }
        return Stream.of(System.getProperty("java.class.path").split(File.pathSeparator))
                .map(entry -> Path.of(entry).toAbsolutePath().normalize().equals(classes.normalize())
                        ? copy.toString()
                        : entry)
                .collect(Collectors.joining(File.pathSeparator));
    }

    @Test
    void anInstructionSetWithoutALibraryIsRefused(@TempDir Path folder) throws Exception {
        String classPath = withoutLibrary(folder);
        String output = start("avx2", classPath);
        assertTrue(
                output.contains(
                        "SettingException: PREFIX4J_KERNELS: expected off, found 'avx2', but the kernels were not"
                                + " built for "),
                output);
        assertTrue(start(null, classPath).contains("kernels: libtorch's only (prefix4j's were not built for "));
    }

    /** Of the command line: one line, before anything is made, and the exit code of wrong usage. */
    @Test
    void aCommandThatAsksForWhatIsNotThereEndsWithOneLine(@TempDir Path folder) throws Exception {
        String classPath = withoutLibrary(folder.resolve("classes"));
        Path out = folder.resolve("run");
        Path data = Files.writeString(folder.resolve("data.tsv"), "a\tb\n");
        List<String[]> commands = List.of(
                new String[] {"doctor"},
                "train --model tests/resources/model --data %s --method lora --out %s"
                        .formatted(data, out)
                        .split(" "));
        for (String[] arguments : commands) {
            String[] program = Stream.concat(Stream.of("dev.prefix4j.cli.Main"), Stream.of(arguments))
                    .toArray(String[]::new);
            Ended ended = run("portable", classPath, program);
            assertEquals(2, ended.code(), ended.output());
            assertEquals(1, ended.output().lines().count(), ended.output());
            assertTrue(
                    ended.output().startsWith("prefix4j: PREFIX4J_KERNELS: expected off, found 'portable', but "),
                    ended.output());
            assertFalse(Files.exists(out));
        }
    }
}
