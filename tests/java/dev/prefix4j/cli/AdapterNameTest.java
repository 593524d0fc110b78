package dev.prefix4j.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.prefix4j.hub.FakeHub;
import java.io.IOException;
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

    private final Shell shell = new Shell();
    private Path adapter;
    private FakeHub hub;

    @BeforeEach
    void trainAnAdapter() throws IOException {
        Path data = Files.writeString(temporary.resolve("data.tsv"), "name : The Mill\tThe Mill is cheap.\n");
        Path run = temporary.resolve("run");
        assertEquals(
                0,
                shell.run(
                        Map.of(),
                        "train",
                        "--model",
                        MODEL.toString(),
                        "--data",
                        data.toString(),
                        "--out",
                        run.toString(),
                        "--steps",
                        "2",
                        "--lr",
                        "0.1",
                        "--prefix-length",
                        "3",
                        "--hidden",
                        "8"),
                shell::errors);
        adapter = run.resolve("adapter");
        hub = new FakeHub(adapter, "adapter_config.json", "adapter_model.safetensors", "prefix4j.json");
    }

    @AfterEach
    void stop() {
        hub.close();
    }

    private String generated(Map<String, String> environment, String adapter) {
        assertEquals(
                0,
                shell.run(
                        environment,
                        "generate",
                        "--model",
                        MODEL.toString(),
                        "--adapter",
                        adapter,
                        "--prompt",
                        "name : The Mill",
                        "--max-new-tokens",
                        "8",
                        "--json"),
                shell::errors);
        return shell.output();
    }

    private String refused(Map<String, String> environment, String adapter) {
        assertEquals(
                1,
                shell.run(environment, "generate", "--model", MODEL.toString(), "--adapter", adapter, "--prompt", "a"));
        return shell.errors().strip();
    }

    @Test
    void adapterOfTheHubGivesWhatItsFolderGives() throws IOException {
        String expected = generated(Map.of(), adapter.toString());
        assertEquals(expected, generated(hub.environment(temporary), FakeHub.MODEL));
        assertFalse(shell.errors().contains("note:"), "its base came along and is this model");
        assertEquals(expected, generated(hub.environment(temporary), FakeHub.MODEL + "@main"));
        hub.close();
        assertEquals(expected, generated(hub.environment(temporary, "HF_HUB_OFFLINE", "1"), FakeHub.MODEL));
        try (Stream<Path> files = Files.list(
                temporary.resolve("hub/models--owner--tiny/snapshots").toRealPath())) {
            Path snapshot = files.findFirst().orElseThrow();
            assertEquals(
                    List.of("adapter_config.json", "adapter_model.safetensors", "prefix4j.json"),
                    Arrays.stream(snapshot.toFile().list()).sorted().toList());
        }
    }

    @Test
    void scoreAndInspectTakeAName() throws IOException {
        String data = temporary.resolve("data.tsv").toString();
        List<String> outputs = Stream.of(adapter.toString(), FakeHub.MODEL)
                .map(name -> {
                    assertEquals(
                            0,
                            shell.run(
                                    hub.environment(temporary),
                                    "score",
                                    "--model",
                                    MODEL.toString(),
                                    "--adapter",
                                    name,
                                    "--data",
                                    data,
                                    "--json"),
                            shell::errors);
                    String scored = shell.output();
                    assertEquals(
                            0,
                            shell.run(
                                    hub.environment(temporary),
                                    "inspect",
                                    name,
                                    "--model",
                                    MODEL.toString(),
                                    "--with",
                                    name,
                                    "--json"),
                            shell::errors);
                    return scored + shell.output();
                })
                .toList();
        assertEquals(outputs.get(0), outputs.get(1));
    }

    @Test
    void whatCannotBeHadIsSaidInOneLine() {
        String cache = temporary.resolve("hub").toString();
        assertEquals(
                "prefix4j: someone/some-prefix: expected an adapter folder, found nothing; as a name on the hub: not"
                        + " all of its files are in "
                        + cache + ", and HF_HUB_OFFLINE is set",
                refused(hub.environment(temporary, "HF_HUB_OFFLINE", "1"), "someone/some-prefix"));
        assertTrue(
                refused(hub.environment(temporary), "someone/other").contains("has no such repository (HTTP 404)"),
                shell::errors);
        assertEquals(
                "prefix4j: adapter: expected an adapter folder, found nothing",
                refused(hub.environment(temporary), "adapter"));
    }

    @Test
    void modelOfTheHubIsNotAnAdapter() throws IOException {
        try (FakeHub models = new FakeHub(MODEL, "config.json", "model.safetensors", "tokenizer.json")) {
            assertTrue(
                    refused(models.environment(temporary), FakeHub.MODEL)
                            .endsWith(" has no adapter_config.json at its revision main"),
                    shell::errors);
        }
    }

    @Test
    void pickledWeightsAreNotTaken() throws IOException {
        try (FakeHub pickled = new FakeHub(adapter, "adapter_config.json")) {
            assertTrue(
                    refused(pickled.environment(temporary), FakeHub.MODEL)
                            .contains(FakeHub.MODEL + ": expected adapter_model.safetensors, found none at "),
                    shell::errors);
        }
    }

    @Test
    void tooLongNamesTheAdapterAndWhatItTakes() {
        assertEquals(
                1,
                shell.run(
                        Map.of(),
                        "generate",
                        "--model",
                        MODEL.toString(),
                        "--adapter",
                        adapter.toString(),
                        "--prompt",
                        "a b c",
                        "--max-new-tokens",
                        "5000"));
        assertTrue(shell.errors().contains("; the adapter " + adapter + " takes 3"), shell::errors);
    }

    @Test
    void baseThatDiffersIsRefusedOnRequest() throws IOException {
        Path other = Files.createDirectory(temporary.resolve("other"));
        assertEquals(
                0,
                shell.run(
                        Map.of(),
                        "pretrain",
                        "--data",
                        textOfLetters().toString(),
                        "--tokenizer",
                        MODEL.toString(),
                        "--layers",
                        "1",
                        "--heads",
                        "1",
                        "--width",
                        "8",
                        "--positions",
                        "32",
                        "--init",
                        "random",
                        "--batch-size",
                        "1",
                        "--rows-at-once",
                        "1",
                        "--steps",
                        "1",
                        "--out",
                        other.resolve("run").toString()),
                shell::errors);
        String[] generate = {
            "generate",
            "--model",
            other.resolve("run/model").toString(),
            "--adapter",
            adapterOf(other).toString(),
            "--prompt",
            "a",
            "--max-new-tokens",
            "2"
        };
        assertEquals(0, shell.run(Map.of(), generate), shell::errors);
        assertTrue(
                shell.errors().contains("its base had other weights of the same shapes; results may mean nothing"),
                shell::errors);
        String[] strict = Arrays.copyOf(generate, generate.length + 1);
        strict[generate.length] = "--strict-base";
        assertEquals(1, shell.run(Map.of(), strict));
        assertTrue(
                shell.errors()
                        .strip()
                        .endsWith("its base had other weights of the same shapes (--strict-base refuses it)"),
                shell::errors);
        assertEquals("", shell.output());
    }

    private Path textOfLetters() throws IOException {
        return Files.writeString(temporary.resolve("text.txt"), "a b c d e f g\n".repeat(40));
    }

    /** An adapter of a model of the same shapes, trained further, so that its normalizations are others. */
    private Path adapterOf(Path other) throws IOException {
        Path base = other.resolve("base");
        assertEquals(
                0,
                shell.run(
                        Map.of(),
                        "pretrain",
                        "--data",
                        textOfLetters().toString(),
                        "--from",
                        other.resolve("run/model").toString(),
                        "--batch-size",
                        "1",
                        "--rows-at-once",
                        "1",
                        "--steps",
                        "20",
                        "--lr",
                        "0.1",
                        "--out",
                        base.toString()),
                shell::errors);
        Path run = other.resolve("prefix");
        assertEquals(
                0,
                shell.run(
                        Map.of(),
                        "train",
                        "--model",
                        base.resolve("model").toString(),
                        "--data",
                        temporary.resolve("data.tsv").toString(),
                        "--out",
                        run.toString(),
                        "--steps",
                        "1",
                        "--prefix-length",
                        "1",
                        "--hidden",
                        "8",
                        "--max-source-tokens",
                        "2"),
                shell::errors);
        return run.resolve("adapter");
    }
}
