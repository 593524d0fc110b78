package dev.prefix4j.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.prefix4j.torch.Memory;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The command line in processes of its own, which can be killed and measured. */
class ProcessTest {
    private static final Path MODEL = Path.of("tests/resources/model");
    private static final ObjectMapper JSON = new ObjectMapper();

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
                "train", "--model", MODEL.toString(), "--data", data.toString(), "--valid", data.toString(),
                "--valid-limit", "10", "--valid-every", "400", "--out", out.toString(), "--steps",
                Integer.toString(steps), "--batch-size", "4", "--hidden", "24", "--lr", "1e-3", "--prefix-dropout",
                "0.1", "--save-every", "40", "--threads", "1", "--json"));
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
    void aRunThatIsKilledTenTimesEndsAsOneThatIsNot() throws Exception {
        Path whole = temporary.resolve("whole");
        assertEquals(0, train(whole, 1600).start().waitFor(), this::unchecked);
        Path killed = temporary.resolve("killed");
        Path metrics = killed.resolve("metrics.jsonl");
        Random random = new Random(8);
        int kills = 0;
        boolean ended = false;
        while (kills < 10 && !ended) {
            long before = size(metrics);
            Process process = (Files.exists(killed.resolve("config.json"))
                            ? prefix4j("train", "--resume", "--out", killed.toString(), "--threads", "1")
                            : train(killed, 1600))
                    .start();
            // The file shrinks when newer lines are dropped, and grows with every step.
            while (process.isAlive() && size(metrics) == before) {
                Thread.sleep(2);
            }
            Thread.sleep(random.nextInt(100));
            process.destroyForcibly().waitFor();
            // Beside a load this test may sleep for as long as the rest of the run takes.
            ended = process.exitValue() == 0;
            kills += ended ? 0 : 1;
        }
        assertTrue(kills >= 2, "killed " + kills + " times: " + errors());
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
            assertEquals(List.of(), files.filter(f -> f.toString().endsWith(".tmp")).toList());
        }
    }

    private String unchecked() {
        try {
            return errors();
        } catch (IOException e) {
            return e.toString();
        }
    }

    @Test
    void thousandsOfStepsDoNotGrowMemory() throws Exception {
        Path out = temporary.resolve("run");
        Process process = train(out, 2_900).start();
        Path metrics = out.resolve("metrics.jsonl");
        long afterWarmUp = 0;
        long last = 0;
        long bytes = 0;
        while (process.isAlive() && !Files.exists(out.resolve("report.html"))) { // it loads what draws it
            long before = bytes;
            bytes = size(metrics);
            long steps = bytes / 100; // lines have a little more than 100 bytes
            long resident = Memory.residentBytes(process.pid());
            if (resident > 0 && steps > 900 && bytes > before) { // while it takes steps
                afterWarmUp = afterWarmUp == 0 ? resident : afterWarmUp;
                last = resident;
            }
            Thread.sleep(20);
        }
        assertEquals(0, process.waitFor(), this::unchecked);
        double growth = (double) last / afterWarmUp - 1;
        System.out.printf("resident memory over 2,000 steps: %d MiB, %+.2f %%%n", afterWarmUp >> 20, 100 * growth);
        // Counts of tensors and bytes are exact elsewhere (NativeMemory); this finds what they cannot see, such as mapped files.
        assertTrue(growth < 0.25, "grew by %.1f %% from %d MiB".formatted(100 * growth, afterWarmUp >> 20));
    }

    @ParameterizedTest
    @CsvSource({"TERM,143", "USR1,138"}) // Ctrl-C is as the first; Slurm sends the second before a time limit
    void interruptionLeavesARunThatGoesOn(String signal, int code) throws Exception {
        Path out = temporary.resolve("run");
        Process process = train(out, 100_000).start();
        while (process.isAlive() && size(out.resolve("metrics.jsonl")) < 5_000) {
            Thread.sleep(5);
        }
        new ProcessBuilder("kill", "-" + signal, Long.toString(process.pid())).inheritIO().start().waitFor();
        assertEquals(code, process.waitFor(), this::unchecked);
        assertTrue(errors().contains("go on with: scripts/prefix4j train --resume --out " + out), errors());
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
        assertEquals("prefix4j: the command line has letters that this locale cannot read; set LC_ALL=C.UTF-8\n", errors());
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
                        "generate", "--model", MODEL.toString(), "--prefix", out.resolve("adapter").toString(),
                        "--data", data.toString(), "--limit", "3", "--beams", "3", "--max-new-tokens", "6", "--json")
                .start();
        assertEquals(0, generate.waitFor(), this::unchecked);
        List<String> lines = Files.readAllLines(temporary.resolve("out.txt"));
        assertEquals(3, lines.size());
        JsonNode first = JSON.readTree(lines.getFirst());
        assertTrue(first.path("source").asText().startsWith("name : "));
        assertTrue(first.path("ids").isArray() && first.path("text").isTextual());

        Process score = prefix4j(
                        "score", "--model", MODEL.toString(), "--prefix", out.resolve("adapter").toString(),
                        "--data", data.toString(), "--limit", "10", "--json")
                .start();
        assertEquals(0, score.waitFor(), this::unchecked);
        JsonNode scored = JSON.readTree(Files.readString(temporary.resolve("out.txt")));
        assertEquals(result.path("valid_loss").doubleValue(), scored.path("loss").doubleValue(), 1e-6);
        assertEquals(Math.exp(scored.path("loss").doubleValue()), scored.path("perplexity").doubleValue(), 1e-6);
    }
}
