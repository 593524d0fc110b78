package dev.prefix4j.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The command line in separate processes, which can be killed and measured. */
class ProcessTest {
    private static final Path MODEL = Path.of("tests/resources/model");
    private static final ObjectMapper JSON = new ObjectMapper();

    /** Ten kills take about half of them. */
    private static final int STEPS = 1600;

    /** Of a step in metrics.jsonl, about. */
    private static final int LINE_BYTES = 130;

    /** By signal 9. */
    private static final int KILLED = 128 + 9;

    @TempDir
    Path temporary;

    private Path data;

    @BeforeEach
    void makeData() throws IOException {
        List<String> words = List.of("The Mill is a cheap Italian place by the river".split(" "));
        Random random = new Random(4);
        StringBuilder lines = new StringBuilder();
        for (int i = 0; i < 120; i++) {
            lines.append("name : ").append(words.get(random.nextInt(10))).append('\t');
            for (int n = 1 + random.nextInt(9); n > 0; n--) {
                lines.append(words.get(random.nextInt(10))).append(n == 1 ? "\n" : " ");
            }
        }
        data = Files.writeString(temporary.resolve("data.tsv"), lines);
    }

    private ProcessBuilder prefix4j(String... arguments) {
        List<String> command = new ArrayList<>(List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "--enable-native-access=ALL-UNNAMED",
                "-XX:+UseSerialGC",
                "-Xms64m",
                "-Xmx64m",
                "-XX:+AlwaysPreTouch", // so that a growing heap is not taken for a leak,
                "-XX:TieredStopAtLevel=1", // nor what the second compiler takes at its leisure
                "-cp",
                System.getProperty("java.class.path"),
                "dev.prefix4j.cli.Main"));
        command.addAll(Arrays.asList(arguments));
        return new ProcessBuilder(command)
                .redirectError(temporary.resolve("err.txt").toFile())
                .redirectOutput(temporary.resolve("out.txt").toFile());
    }

    private ProcessBuilder train(Path out, int steps, String... more) {
        List<String> arguments = new ArrayList<>(List.of(
                "train",
                "--model",
                MODEL.toString(),
                "--data",
                data.toString(),
                "--valid",
                data.toString(),
                "--valid-limit",
                "10",
                "--valid-every",
                "400",
                "--out",
                out.toString(),
                "--steps",
                Integer.toString(steps),
                "--batch-size",
                "4",
                "--hidden",
                "24",
                "--lr",
                "1e-3",
                "--prefix-dropout",
                "0.1",
                "--save-every",
                "40",
                "--threads",
                "1",
                "--json"));
        arguments.addAll(Arrays.asList(more));
        return prefix4j(arguments.toArray(String[]::new));
    }

    private String errors() throws IOException {
        return Files.readString(temporary.resolve("err.txt"));
    }

    private static List<String> losses(Path run) throws IOException {
        List<String> losses = new ArrayList<>();
        for (String line : Files.readAllLines(run.resolve("metrics.jsonl"))) {
            JsonNode node = JSON.readTree(line);
            losses.add(node.path("step") + " " + node.path("loss") + " " + node.path("valid_loss"));
        }
        return losses;
    }

    private static long size(Path file) throws IOException {
        return Files.exists(file) ? Files.size(file) : 0;
    }

    @Test
    void aRunThatIsKilledTenTimesEndsLikeOneThatIsNot() throws Exception {
        Path whole = temporary.resolve("whole");
        assertEquals(0, train(whole, STEPS).start().waitFor(), this::unchecked);
        Path killed = temporary.resolve("killed");
        Path metrics = killed.resolve("metrics.jsonl");
        Random random = new Random(8);
        int kills = 0;
        while (kills < 10) {
            Process process = (Files.exists(killed.resolve("config.json"))
                            ? prefix4j("train", "--resume", "--out", killed.toString(), "--threads", "1")
                            : train(killed, STEPS))
                    .start();
            // By steps and not by the clock, so that a fast machine does not end the run and a slow one gets somewhere.
            long enough = size(metrics) + LINE_BYTES * (20 + random.nextInt(60));
            while (process.isAlive() && size(metrics) < enough) {
                Thread.sleep(1);
            }
            int code = process.destroyForcibly().waitFor();
            if (code == 0) {
                break; // this test got no processor until the run had ended
            }
            assertEquals(KILLED, code, this::unchecked);
            kills++;
        }
        assertTrue(kills >= 5, "killed " + kills + " times: " + unchecked());
        assertEquals(
                0,
                prefix4j("train", "--resume", "--out", killed.toString(), "--threads", "1", "--json")
                        .start()
                        .waitFor(),
                this::unchecked);
        assertEquals(losses(whole), losses(killed));
        assertEquals(
                Arrays.toString(Files.readAllBytes(whole.resolve("adapter/adapter_model.safetensors"))),
                Arrays.toString(Files.readAllBytes(killed.resolve("adapter/adapter_model.safetensors"))));
        try (Stream<Path> files = Files.walk(killed)) {
            // What a killed write left may stay, but not after a run that has ended well.
            assertEquals(
                    List.of(), files.filter(f -> f.toString().endsWith(".tmp")).toList());
        }
    }

    private String unchecked() {
        try {
            return errors();
        } catch (IOException e) {
            return e.toString();
        }
    }

    /**
     * What a process holds: open and mapped files of a folder, and bytes of private memory that may be written, resident or not. Empty if it
     * has gone.
     */
    private record Held(long open, long mapped, long bytes) {
        static Optional<Held> by(long pid, Path folder) {
            Path process = Path.of("/proc", Long.toString(pid));
            try (Stream<Path> descriptors = Files.list(process.resolve("fd"))) {
                long open = descriptors
                        .filter(file -> target(file).startsWith(folder.toString()))
                        .count();
                long mapped = Files.readAllLines(process.resolve("maps")).stream()
                        .filter(line -> line.contains(folder.toString()))
                        .count();
                OptionalLong kib = Files.readAllLines(process.resolve("status")).stream()
                        .filter(line -> line.startsWith("VmData:"))
                        .mapToLong(line -> Long.parseLong(line.replaceAll("\\D", "")))
                        .findFirst();
                return kib.isEmpty() ? Optional.empty() : Optional.of(new Held(open, mapped, kib.getAsLong() << 10));
            } catch (IOException | UncheckedIOException e) {
                return Optional.empty();
            }
        }

        private static String target(Path descriptor) {
            try {
                return Files.readSymbolicLink(descriptor).toString();
            } catch (IOException e) {
                return ""; // closed meanwhile
            }
        }

        Held least(Held other) {
            return new Held(Math.min(open, other.open), Math.min(mapped, other.mapped), Math.min(bytes, other.bytes));
        }
    }

    /**
     * Tensors and bytes are counted within a process elsewhere ({@code NativeMemory}); this finds what those counts cannot see: files of
     * the run that stay open or mapped after each of 30 saves or more, and memory that did not come from the C library. Not by the resident
     * size: that also changes when the system takes back pages of libraries and reads them again.
     */
    @Test
    void thousandsOfStepsDoNotGrowWhatAProcessHolds() throws Exception {
        Path out = temporary.resolve("run");
        Process process = train(out, 2_900).start();
        Path metrics = out.resolve("metrics.jsonl");
        Held early = null; // the least of each window, between saves
        Held late = null;
        while (process.isAlive()) {
            long steps = size(metrics) / LINE_BYTES;
            Optional<Held> held = steps > 900 ? Held.by(process.pid(), out) : Optional.empty();
            if (held.isPresent() && steps <= 1_500) {
                early = early == null ? held.get() : early.least(held.get());
            } else if (held.isPresent() && steps > 2_100 && steps <= 2_700) { // before its files are closed
                late = late == null ? held.get() : late.least(held.get());
            }
            Thread.sleep(5);
        }
        assertEquals(0, process.waitFor(), this::unchecked);
        String found = "after 900 steps " + early + ", after 2,100 " + late;
        System.out.println(found);
        assertTrue(early != null && late != null, found);
        assertTrue(early.open() > 0, found);
        assertTrue(late.open() <= early.open(), found);
        assertTrue(late.mapped() <= early.mapped(), found);
        // A tensor of 100 KB that each step leaves would take 80 MB or more; compilers and arenas of the virtual
        // machine come and go.
        assertTrue(late.bytes() < early.bytes() + (64 << 20), found);
    }

    @ParameterizedTest
    @CsvSource({"TERM,143", "USR1,138"}) // Ctrl-C is as the first; Slurm sends the second before a time limit
    void interruptionLeavesARunThatCanBeResumed(String signal, int code) throws Exception {
        Path out = temporary.resolve("run");
        Process process = train(out, 100_000).start();
        while (process.isAlive() && size(out.resolve("metrics.jsonl")) < 5_000) {
            Thread.sleep(5);
        }
        new ProcessBuilder("kill", "-" + signal, Long.toString(process.pid()))
                .inheritIO()
                .start()
                .waitFor();
        assertEquals(code, process.waitFor(), this::unchecked);
        assertTrue(errors().contains("resume with: scripts/prefix4j train --resume --out " + out), errors());
        assertTrue(Files.exists(out.resolve("adapter/adapter_model.safetensors"))
                || Files.exists(out.resolve("state/trainer.safetensors")));
        int steps = losses(out).size();
        assertTrue(steps > 10);
    }

    @Test
    void argumentsThatTheLocaleGarbledAreRefused() throws Exception {
        ProcessBuilder builder = prefix4j();
        // This JVM may itself be in such a locale, and could not hand the letter on: a shell can.
        builder.command("sh", "-c", "exec \"$@\" \"$(printf 'name : Caf\\303\\251')\"", "sh");
        builder.command().addAll(prefix4j("generate", "--prompt").command());
        builder.environment().put("LC_ALL", "C");
        assertEquals(Main.FAILED, builder.start().waitFor(), this::unchecked);
        assertEquals(
                "prefix4j: the command line has characters that this locale cannot read; set LC_ALL=C.UTF-8\n",
                errors());
    }

    @Test
    void trainsThenGeneratesThenScores() throws Exception {
        Path out = temporary.resolve("run");
        assertEquals(0, train(out, 60, "--init-words", "The Mill").start().waitFor(), this::unchecked);
        JsonNode result = JSON.readTree(Files.readString(temporary.resolve("out.txt"), StandardCharsets.UTF_8));
        assertEquals(60, result.path("steps").intValue());
        assertEquals(
                List.of("steps", "loss", "valid_loss", "tokens_per_s", "finished", "adapter"),
                result.properties().stream().map(java.util.Map.Entry::getKey).toList());
        assertTrue(errors().contains("virtual tokens start from \"The Mill\""), errors());

        Process generate = prefix4j(
                        "generate",
                        "--model",
                        MODEL.toString(),
                        "--prefix",
                        out.resolve("adapter").toString(),
                        "--data",
                        data.toString(),
                        "--limit",
                        "3",
                        "--beams",
                        "3",
                        "--max-new-tokens",
                        "6",
                        "--json")
                .start();
        assertEquals(0, generate.waitFor(), this::unchecked);
        List<String> lines = Files.readAllLines(temporary.resolve("out.txt"));
        assertEquals(3, lines.size());
        JsonNode first = JSON.readTree(lines.getFirst());
        assertTrue(first.path("source").asText().startsWith("name : "));
        assertTrue(first.path("ids").isArray() && first.path("text").isTextual());

        Process score = prefix4j(
                        "score",
                        "--model",
                        MODEL.toString(),
                        "--prefix",
                        out.resolve("adapter").toString(),
                        "--data",
                        data.toString(),
                        "--limit",
                        "10",
                        "--json")
                .start();
        assertEquals(0, score.waitFor(), this::unchecked);
        JsonNode scored = JSON.readTree(Files.readString(temporary.resolve("out.txt")));
        assertEquals(
                result.path("valid_loss").doubleValue(), scored.path("loss").doubleValue(), 1e-6);
        assertEquals(
                Math.exp(scored.path("loss").doubleValue()),
                scored.path("perplexity").doubleValue(),
                1e-6);
    }
}
