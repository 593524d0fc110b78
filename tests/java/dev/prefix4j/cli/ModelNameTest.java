package dev.prefix4j.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.prefix4j.hub.FakeHub;
import dev.prefix4j.task.ModelName;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What {@code --model} may be, at the command line. */
class ModelNameTest {
    private static final Path MODEL = Path.of("tests/resources/model");
    private static final ObjectMapper JSON = new ObjectMapper();

    @TempDir
    Path temporary;

    private final Shell shell = new Shell();
    private FakeHub hub;
    private Path data;

    @BeforeEach
    void start() throws IOException {
        hub = new FakeHub(MODEL, "config.json", "model.safetensors", "tokenizer.json");
        data = Files.writeString(temporary.resolve("data.tsv"), "name : The Mill\tThe Mill is cheap.\n");
    }

    @AfterEach
    void stop() {
        hub.close();
    }

    private int run(String... arguments) {
        return shell.run(hub.environment(temporary), arguments);
    }

    @Test
    void scoreOfAModelOfTheHubIsThatOfItsFolder() {
        String[] of = {"score", "--data", data.toString(), "--json", "--model"};
        assertEquals(0, run("score", "--data", data.toString(), "--json", "--model", MODEL.toString()), shell::errors);
        String expected = shell.output();
        assertEquals(0, run(of[0], of[1], of[2], of[3], of[4], FakeHub.MODEL), shell::errors);
        assertEquals(expected, shell.output());
        hub.close();
        Map<String, String> offline = hub.environment(temporary, "HF_HUB_OFFLINE", "1");
        assertEquals(0, shell.run(offline, of[0], of[1], of[2], of[3], of[4], FakeHub.MODEL), shell::errors);
        assertEquals(expected, shell.output());
    }

    @Test
    void generateTakesAModelOfTheHub() {
        assertEquals(
                0, run("generate", "--model", FakeHub.MODEL, "--prompt", "a", "--max-new-tokens", "3"), shell::errors);
    }

    @Test
    void runAndAdapterKeepTheName() throws IOException {
        Path run = temporary.resolve("run");
        String[] train = {
            "train",
            "--model",
            FakeHub.MODEL + "@main",
            "--data",
            data.toString(),
            "--out",
            run.toString(),
            "--steps",
            "1",
            "--hidden",
            "4"
        };
        assertEquals(0, run(train), shell::errors);
        assertEquals(
                "owner/tiny@main",
                JSON.readTree(run.resolve("config.json").toFile()).path("model").asText());
        JsonNode adapter =
                JSON.readTree(run.resolve("adapter/adapter_config.json").toFile());
        assertEquals("owner/tiny", adapter.path("base_model_name_or_path").asText());
        assertTrue(adapter.path("revision").isNull());
        assertEquals(0, run("train", "--resume", "--out", run.toString()), shell::errors);
        assertEquals(
                0,
                run("train", "--resume", "--out", run.toString(), "--model", FakeHub.MODEL + "@main"),
                shell::errors);
        assertEquals(1, run("train", "--resume", "--out", run.toString(), "--model", MODEL.toString()));
        assertTrue(
                shell.errors().contains("--model: the run in " + run + " has owner/tiny@main, found /"),
                shell.errors());
    }

    @Test
    void runAndAdapterKeepTheRevision() throws IOException {
        Path run = temporary.resolve("run");
        String commit = "0123456789abcdef0123456789abcdef01234567";
        assertEquals(
                0,
                run(
                        "train",
                        "--model",
                        FakeHub.MODEL + "@" + commit,
                        "--data",
                        data.toString(),
                        "--out",
                        run.toString(),
                        "--steps",
                        "1",
                        "--hidden",
                        "4"),
                shell::errors);
        JsonNode adapter =
                JSON.readTree(run.resolve("adapter/adapter_config.json").toFile());
        assertEquals("owner/tiny", adapter.path("base_model_name_or_path").asText());
        assertEquals(commit, adapter.path("revision").asText());
    }

    @Test
    void runAndAdapterKeepTheAbsolutePathOfAFolder() throws IOException {
        Path run = temporary.resolve("run");
        String[] train = {
            "train",
            "--model",
            MODEL.toString(),
            "--data",
            data.toString(),
            "--out",
            run.toString(),
            "--steps",
            "1",
            "--hidden",
            "4"
        };
        assertEquals(0, run(train), shell::errors);
        String absolute = MODEL.toAbsolutePath().toString();
        assertEquals(
                absolute,
                JSON.readTree(run.resolve("config.json").toFile()).path("model").asText());
        assertEquals(
                absolute,
                JSON.readTree(run.resolve("adapter/adapter_config.json").toFile())
                        .path("base_model_name_or_path")
                        .asText());
        assertEquals(0, run("train", "--resume", "--out", run.toString(), "--model", MODEL.toString()), shell::errors);
    }

    private String refused(Map<String, String> environment, String model) {
        assertEquals(1, shell.run(environment, "score", "--model", model, "--data", data.toString()));
        assertEquals(1, shell.errors().lines().count(), shell.errors());
        assertFalse(shell.errors().contains("unexpected"), shell.errors());
        return shell.errors().strip();
    }

    @ParameterizedTest
    @ValueSource(strings = {"./nowhere", "/nowhere", "~/nowhere", "a/b/c", "a\\b", "no where", "../nowhere"})
    void pathThatLeadsNowhereIsAMissingFolder(String path) {
        assertEquals(
                "prefix4j: " + path + ": expected a model folder, found nothing",
                refused(hub.environment(temporary), path));
    }

    @Test
    void nameThatMayBeEitherSaysBoth() {
        String host = hub.endpoint().substring(7);
        assertEquals(
                "prefix4j: nobody/nothing: expected a model folder, found nothing; as a name on the hub: " + host
                        + " has no such repository (HTTP 404), or a private one, which needs HF_TOKEN",
                refused(hub.environment(temporary), "nobody/nothing"));
        assertEquals(
                "prefix4j: nothing: expected a model folder, found nothing; as a name on the hub: not all of its files"
                        + " are in "
                        + temporary.resolve("hub") + ", and HF_HUB_OFFLINE is set",
                refused(hub.environment(temporary, "HF_HUB_OFFLINE", "1"), "nothing"));
        hub.close();
        assertEquals(
                "prefix4j: nothing: expected a model folder, found nothing; as a name on the hub: " + host
                        + " cannot be reached: the connection was refused",
                refused(hub.environment(temporary), "nothing"));
    }

    @Test
    void modelOfAnotherKindIsRefusedBeforeItsWeights() throws IOException {
        Path bert = Files.createDirectories(temporary.resolve("bert"));
        Files.writeString(bert.resolve("config.json"), "{\"model_type\": \"bert\"}");
        try (FakeHub other = new FakeHub(bert, "config.json")) {
            String message = refused(other.environment(temporary), FakeHub.MODEL);
            assertTrue(
                    message.endsWith("config.json: key 'model_type': expected one of gpt2, llama, mistral, qwen2,"
                            + " qwen3, which prefix4j runs, found bert"),
                    message);
        }
    }

    @Test
    void builtInModelsHaveAPlace() {
        assertInstanceOf(ModelName.BuiltIn.class, ModelName.of("builtin:tiny"));
        assertTrue(refused(hub.environment(temporary), "builtin:none")
                .contains("builtin:none: expected builtin:tiny, the only bundled model"));
    }
}
