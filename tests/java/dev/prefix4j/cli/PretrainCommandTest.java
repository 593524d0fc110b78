package dev.prefix4j.cli;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class PretrainCommandTest {
    private static final ObjectMapper JSON = new ObjectMapper();

    @TempDir
    Path folder;

    private Path text;

    @BeforeEach
    void write() throws IOException {
        text = Files.writeString(
                folder.resolve("text.txt"), "The mill stands by the river and turns.\n<|endoftext|>\n".repeat(400));
    }

    private JsonNode pretrain(Path out, String... more) throws IOException {
        List<String> line = new ArrayList<>(List.of(
                "pretrain", "--data", text.toString(), "--valid", text.toString(), "--out", out.toString(), "--json"));
        line.addAll(Arrays.asList(more));
        ByteArrayOutputStream result = new ByteArrayOutputStream();
        ByteArrayOutputStream errors = new ByteArrayOutputStream();
        int code = Main.run(
                line.toArray(String[]::new),
                InputStream.nullInputStream(),
                new PrintStream(result, true, StandardCharsets.UTF_8),
                new PrintStream(errors, true, StandardCharsets.UTF_8));
        assertEquals(Main.OK, code, errors.toString(StandardCharsets.UTF_8));
        return JSON.readTree(result.toByteArray());
    }

    private JsonNode first(Path out) throws IOException {
        return pretrain(
                out,
                "--steps",
                "40",
                "--vocab-size",
                "280",
                "--layers",
                "2",
                "--heads",
                "2",
                "--width",
                "16",
                "--positions",
                "24",
                "--init",
                "random",
                "--lr",
                "1e-2",
                "--warmup",
                "2");
    }

    private static JsonNode firstLine(Path run) throws IOException {
        return JSON.readTree(Files.readAllLines(run.resolve("metrics.jsonl")).getFirst());
    }

    @Test
    void goesOnFromAModelWithItsTokenizer() throws IOException {
        Path run = folder.resolve("first");
        JsonNode trained = first(run);
        Path more = folder.resolve("more");
        pretrain(more, "--from", run.resolve("model").toString(), "--steps", "2", "--lr", "1e-9");
        double began = firstLine(run).path("loss").asDouble();
        double wentOn = firstLine(more).path("loss").asDouble();
        double ended = trained.path("valid_loss").asDouble();
        assertTrue(began > 2 * ended, began + " to " + ended);
        assertEquals(ended, wentOn, 0.1 * ended);
        for (String file : List.of("model/tokenizer.json", "model/config.json")) {
            assertArrayEquals(Files.readAllBytes(run.resolve(file)), Files.readAllBytes(more.resolve(file)), file);
        }
    }

    @Test
    void aResumedRunBeginsItsSamplesAsBefore() throws IOException {
        Path run = folder.resolve("first");
        pretrain(
                run,
                "--steps",
                "2",
                "--vocab-size",
                "280",
                "--layers",
                "2",
                "--heads",
                "2",
                "--width",
                "16",
                "--positions",
                "24",
                "--init",
                "random",
                "--prompt",
                "The mill",
                "stands",
                "--valid-every",
                "1");
        Path state = run.resolve("config.json");
        Files.writeString(state, Files.readString(state).replaceFirst("\"steps\" : 2", "\"steps\" : 4"));
        assertEquals(4, pretrain(run, "--resume").path("steps").asInt());
        List<String> samples = Files.readAllLines(run.resolve("samples.jsonl"));
        assertEquals(8, samples.size());
        assertTrue(samples.getLast().contains("\"stands\""), samples.getLast());
    }

    @Test
    void refusesAModelOfAnotherFamilyBeforeAnythingIsMade() {
        Path out = folder.resolve("run");
        Path model = Path.of("tests/resources/parity/llama/model");
        ByteArrayOutputStream errors = new ByteArrayOutputStream();
        String[] line = {
            "pretrain", "--data", text.toString(), "--out", out.toString(), "--from", model.toString(), "--steps", "2"
        };
        int code = Main.run(
                line,
                InputStream.nullInputStream(),
                new PrintStream(OutputStream.nullOutputStream()),
                new PrintStream(errors, true, StandardCharsets.UTF_8));
        assertEquals(Main.FAILED, code);
        assertEquals(
                "prefix4j: " + model.toAbsolutePath()
                        + ": expected a GPT-2 to continue training, found a model of the family llama",
                errors.toString(StandardCharsets.UTF_8).strip());
        assertFalse(Files.exists(out));
    }
}
