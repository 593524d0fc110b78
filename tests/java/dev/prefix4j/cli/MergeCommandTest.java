package dev.prefix4j.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class MergeCommandTest {
    private static final String MODEL = "tests/resources/model";
    private static final ObjectMapper JSON = new ObjectMapper();

    @TempDir
    Path temporary;

    private final Shell shell = new Shell();

    private Path trained(String... method) throws IOException {
        return trained(0.05, method);
    }

    private Path trained(double lr, String... method) throws IOException {
        Path data = Files.writeString(temporary.resolve("data.tsv"), "name : The Mill\tThe Mill is cheap.\n");
        List<String> arguments = new java.util.ArrayList<>(List.of(
                "train",
                "--model",
                MODEL,
                "--data",
                data.toString(),
                "--out",
                temporary.resolve("run").toString(),
                "--steps",
                "5",
                "--lr",
                Double.toString(lr),
                "--method"));
        arguments.addAll(List.of(method));
        assertEquals(0, shell.run(arguments.toArray(String[]::new)), shell::errors);
        return temporary.resolve("run/adapter");
    }

    private String generated(String... with) {
        List<String> arguments = new java.util.ArrayList<>(
                List.of("generate", "--prompt", "name : The Mill", "--max-new-tokens", "12", "--json"));
        arguments.addAll(List.of(with));
        assertEquals(0, shell.run(arguments.toArray(String[]::new)), shell::errors);
        return shell.output();
    }

    @ParameterizedTest
    @ValueSource(strings = {"fine-tune", "fine-tune-top --top-blocks 1", "lora --rank 2"})
    void mergedModelWritesWhatTheAdapterMakesItWrite(String method) throws IOException {
        Path adapter = trained(method.split(" "));
        String expected = generated("--model", MODEL, "--adapter", adapter.toString());
        assertFalse(expected.equals(generated("--model", MODEL)), "the adapter changes what is written");
        Path merged = temporary.resolve("new/merged");
        assertEquals(
                0,
                shell.run("merge", "--model", MODEL, "--adapter", adapter.toString(), "--out", merged.toString()),
                shell::errors);
        assertTrue(shell.output().endsWith(" parameters in float32, in " + merged + "\n"), shell::output);
        assertEquals(expected, generated("--model", merged.toString()));
        JsonNode base = JSON.readTree(Path.of(MODEL, "config.json").toFile());
        JsonNode config = JSON.readTree(merged.resolve("config.json").toFile());
        base.fieldNames().forEachRemaining(key -> {
            if (!List.of("architectures", "dtype", "torch_dtype").contains(key)) {
                assertEquals(base.get(key), config.get(key), key);
            }
        });
        assertEquals("float32", config.get("dtype").asText());
        assertEquals(
                Files.readString(Path.of(MODEL, "tokenizer.json")), Files.readString(merged.resolve("tokenizer.json")));
    }

    @Test
    void halfPrecisionIsWrittenOnRequest() throws IOException {
        Path adapter = trained("lora", "--rank", "2");
        Path merged = temporary.resolve("merged");
        assertEquals(
                0,
                shell.run(
                        "merge",
                        "--model",
                        MODEL,
                        "--adapter",
                        adapter.toString(),
                        "--out",
                        merged.toString(),
                        "--dtype",
                        "bfloat16",
                        "--json"),
                shell::errors);
        assertEquals("bfloat16", JSON.readTree(shell.output()).get("dtype").asText());
        long size = Files.size(merged.resolve("model.safetensors"));
        assertTrue(size < 0.6 * Files.size(Path.of(MODEL, "model.safetensors")), () -> size + " bytes");
        assertEquals(
                0,
                shell.run("generate", "--model", merged.toString(), "--prompt", "a", "--max-new-tokens", "2"),
                shell::errors);
    }

    @ParameterizedTest
    @ValueSource(strings = {"prefix --prefix-length 2", "adapter --bottleneck 2", "embedding --prefix-length 2"})
    void whatCannotBeMergedIsRefusedAndLeavesNothing(String method) throws IOException {
        Path adapter = trained(method.split(" "));
        Path merged = temporary.resolve("merged");
        assertEquals(
                1, shell.run("merge", "--model", MODEL, "--adapter", adapter.toString(), "--out", merged.toString()));
        assertEquals(
                "prefix4j: %s: expected changed weights (lora, fine-tune, fine-tune-top), found an adapter of method %s, which cannot be merged"
                        .formatted(adapter, method.split(" ")[0]),
                shell.errors().strip());
        assertFalse(Files.exists(merged));
    }

    @Test
    void folderThatHasFilesIsLeftAlone() throws IOException {
        Path merged = Files.createDirectory(temporary.resolve("merged"));
        Files.writeString(merged.resolve("mine"), "mine");
        assertEquals(1, shell.run("merge", "--model", MODEL, "--adapter", "anything", "--out", merged.toString()));
        assertEquals(
                "prefix4j: " + merged + ": expected a new or empty folder, found files: choose another",
                shell.errors().strip());
        assertEquals("mine", Files.readString(merged.resolve("mine")));
    }

    @Test
    void numbersThatHalfPrecisionDoesNotHoldAreRefusedByName() throws IOException {
        Path adapter = trained(1, "lora", "--rank", "1");
        JsonNode config = JSON.readTree(adapter.resolve("adapter_config.json").toFile());
        Files.writeString(
                adapter.resolve("adapter_config.json"),
                ((com.fasterxml.jackson.databind.node.ObjectNode) config)
                        .put("lora_alpha", 1e6)
                        .toString());
        Path merged = temporary.resolve("merged");
        int code = shell.run(
                "merge",
                "--model",
                MODEL,
                "--adapter",
                adapter.toString(),
                "--out",
                merged.toString(),
                "--dtype",
                "float16");
        assertEquals(1, code, shell::output);
        assertTrue(
                shell.errors()
                        .matches("(?s).*tensor 'h\\.\\d\\.attn\\.c_attn\\.weight': expected finite numbers, found NaN"
                                + " or infinity in float16\\s*"),
                shell::errors);
        try (Stream<Path> files = Files.list(temporary)) {
            assertEquals(
                    List.of("data.tsv", "run"),
                    files.map(file -> file.getFileName().toString()).sorted().toList());
        }
    }
}
