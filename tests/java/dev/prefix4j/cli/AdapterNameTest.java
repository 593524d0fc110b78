package dev.prefix4j.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.prefix4j.hub.FakeHub;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class AdapterNameTest {
    private static final Path MODEL = Path.of("tests/resources/model");

    @TempDir
    Path temporary;

    private final ByteArrayOutputStream out = new ByteArrayOutputStream();
    private final ByteArrayOutputStream err = new ByteArrayOutputStream();
    private Path adapter;
    private FakeHub hub;

    @BeforeEach
    void trainAnAdapter() throws IOException {
        Path data = Files.writeString(temporary.resolve("data.tsv"), "name : The Mill\tThe Mill is cheap.\n");
        Path run = temporary.resolve("run");
        assertEquals(0, run(Map.of(), "train", "--model", MODEL.toString(), "--data", data.toString(), "--out", run.toString(),
                "--steps", "2", "--lr", "0.1", "--prefix-length", "3", "--hidden", "8"), this::errors);
        adapter = run.resolve("adapter");
        hub = new FakeHub(adapter, "adapter_config.json", "adapter_model.safetensors", "prefix4j.json");
    }

    @AfterEach
    void stop() {
        hub.close();
    }

    private int run(Map<String, String> environment, String... arguments) {
        out.reset();
        err.reset();
        return Main.run(
                arguments,
                new ByteArrayInputStream(new byte[0]),
                new PrintStream(out, true, StandardCharsets.UTF_8),
                new PrintStream(err, true, StandardCharsets.UTF_8),
                environment);
    }

    private String errors() {
        return err.toString(StandardCharsets.UTF_8);
    }

    private String output() {
        return out.toString(StandardCharsets.UTF_8);
    }

    private String generated(Map<String, String> environment, String adapter) {
        assertEquals(0, run(environment, "generate", "--model", MODEL.toString(), "--adapter", adapter, "--prompt", "name : The Mill",
                "--max-new-tokens", "8", "--json"), this::errors);
        return output();
    }

    private String refused(Map<String, String> environment, String adapter) {
        assertEquals(1, run(environment, "generate", "--model", MODEL.toString(), "--adapter", adapter, "--prompt", "a"));
        return errors().strip();
    }

    @Test
    void adapterOfTheHubGivesWhatItsFolderGives() throws IOException {
        String expected = generated(Map.of(), adapter.toString());
        assertEquals(expected, generated(hub.environment(temporary), FakeHub.MODEL));
        assertFalse(errors().contains("note:"), "its base came along and is this model");
        assertEquals(expected, generated(hub.environment(temporary), FakeHub.MODEL + "@main"));
        hub.close();
        assertEquals(expected, generated(hub.environment(temporary, "HF_HUB_OFFLINE", "1"), FakeHub.MODEL));
        try (Stream<Path> files = Files.list(temporary.resolve("hub/models--owner--tiny/snapshots").toRealPath())) {
            Path snapshot = files.findFirst().orElseThrow();
            assertEquals(List.of("adapter_config.json", "adapter_model.safetensors", "prefix4j.json"),
                    Arrays.stream(snapshot.toFile().list()).sorted().toList());
        }
    }

    @Test
    void scoreAndInspectTakeAName() throws IOException {
        String data = temporary.resolve("data.tsv").toString();
        List<String> outputs = Stream.of(adapter.toString(), FakeHub.MODEL)
                .map(name -> {
                    assertEquals(0, run(hub.environment(temporary), "score", "--model", MODEL.toString(), "--adapter", name,
                            "--data", data, "--json"), this::errors);
                    String scored = output();
                    assertEquals(0, run(hub.environment(temporary), "inspect", name, "--model", MODEL.toString(), "--with", name,
                            "--json"), this::errors);
                    return scored + output();
                })
                .toList();
        assertEquals(outputs.get(0), outputs.get(1));
    }

    @Test
    void whatCannotBeHadIsSaidInOneLine() {
        String cache = temporary.resolve("hub").toString();
        assertEquals("prefix4j: someone/some-prefix: expected an adapter folder, found nothing; as a name on the hub: not all of it is in "
                        + cache + ", and HF_HUB_OFFLINE is set",
                refused(hub.environment(temporary, "HF_HUB_OFFLINE", "1"), "someone/some-prefix"));
        assertTrue(refused(hub.environment(temporary), "someone/other").contains("has no such repository (HTTP 404)"), this::errors);
        assertEquals("prefix4j: adapter: expected an adapter folder, found nothing", refused(hub.environment(temporary), "adapter"));
    }

    @Test
    void modelOfTheHubIsNoAdapter() throws IOException {
        try (FakeHub models = new FakeHub(MODEL, "config.json", "model.safetensors", "tokenizer.json")) {
            assertTrue(refused(models.environment(temporary), FakeHub.MODEL)
                    .endsWith(" has no adapter_config.json at revision main of it"), this::errors);
        }
    }

    @Test
    void pickledWeightsAreNotTaken() throws IOException {
        try (FakeHub pickled = new FakeHub(adapter, "adapter_config.json")) {
            assertTrue(refused(pickled.environment(temporary), FakeHub.MODEL)
                    .contains(FakeHub.MODEL + ": expected adapter_model.safetensors, found none at "), this::errors);
        }
    }

    @Test
    void tooLongNamesTheAdapterAndWhatItTakes() {
        assertEquals(1, run(Map.of(), "generate", "--model", MODEL.toString(), "--adapter", adapter.toString(), "--prompt", "a b c",
                "--max-new-tokens", "5000"));
        assertTrue(errors().contains("; the adapter " + adapter + " takes 3"), this::errors);
    }

    @Test
    void baseThatDiffersIsRefusedWhereThatWasAskedFor() throws IOException {
        Path other = Files.createDirectory(temporary.resolve("other"));
        assertEquals(0, run(Map.of(), "pretrain", "--data", textOfLetters().toString(), "--tokenizer", MODEL.toString(), "--layers", "1", "--heads", "1",
                "--width", "8", "--positions", "32", "--init", "random", "--batch-size", "1", "--rows-at-once", "1", "--steps", "1",
                "--out", other.resolve("run").toString()), this::errors);
        String[] generate = {"generate", "--model", other.resolve("run/model").toString(), "--adapter", adapterOf(other).toString(),
            "--prompt", "a", "--max-new-tokens", "2"};
        assertEquals(0, run(Map.of(), generate), this::errors);
        assertTrue(errors().contains("its base had other weights of the same shapes; results may mean nothing"), this::errors);
        String[] strict = Arrays.copyOf(generate, generate.length + 1);
        strict[generate.length] = "--strict-base";
        assertEquals(1, run(Map.of(), strict));
        assertTrue(errors().strip().endsWith("its base had other weights of the same shapes (--strict-base refuses it)"), this::errors);
        assertEquals("", output());
    }

    private Path textOfLetters() throws IOException {
        return Files.writeString(temporary.resolve("text.txt"), "a b c d e f g\n".repeat(40));
    }

    /** An adapter of a model of the same shapes, trained further, so that its normalizations are others. */
    private Path adapterOf(Path other) throws IOException {
        Path base = other.resolve("base");
        assertEquals(0, run(Map.of(), "pretrain", "--data", textOfLetters().toString(), "--from", other.resolve("run/model").toString(),
                "--batch-size", "1", "--rows-at-once", "1", "--steps", "20", "--lr", "0.1", "--out", base.toString()), this::errors);
        Path run = other.resolve("prefix");
        assertEquals(0, run(Map.of(), "train", "--model", base.resolve("model").toString(), "--data", temporary.resolve("data.tsv").toString(),
                "--out", run.toString(), "--steps", "1", "--prefix-length", "1", "--hidden", "8", "--max-source-tokens", "2"), this::errors);
        return run.resolve("adapter");
    }
}
