package dev.prefix4j.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** What the user sees when the input is wrong: one line that helps, and no half-written file. */
class BadInputTest {
    private static final Path MODEL = Path.of("tests/resources/model");

    @TempDir
    Path t;

    /** Changes a good model folder. */
    @FunctionalInterface
    private interface Damage {
        void to(Path model) throws IOException;
    }

    @BeforeEach
    void files() throws IOException {
        Files.writeString(t.resolve("good.tsv"), "name : The Mill\tThe Mill is cheap.\n");
        Files.writeString(t.resolve("empty.tsv"), "");
        Files.writeString(t.resolve("columns.csv"), "meaning,text\na,b\n");
        Files.writeString(t.resolve("long.tsv"), "a\tb\nname : " + "x ".repeat(200) + "\ttarget\n");
        Files.writeString(t.resolve("row.jsonl"), "{\"source\": \"a\", \"target\": \"b\"}\n{\"source\": \n");
        Files.writeString(t.resolve("sources.jsonl"), "{\"source\": \"a\"}\n");
        Files.writeString(t.resolve("one.txt"), "one\n");
        Files.writeString(t.resolve("two.txt"), "one\ntwo\n");
        Files.writeString(t.resolve("own.csv"), "input,output\na,b\n");
        Files.write(t.resolve("bytes.txt"), new byte[] {(byte) 0xff, 10});
        Files.createDirectories(t.resolve("folder"));
        Files.writeString(t.resolve("folder/something"), "precious");
        Path peft = Files.createDirectories(t.resolve("lora"));
        Files.writeString(peft.resolve("adapter_config.json"), "{\"peft_type\": \"IA3\"}");
        Files.writeString(t.resolve("sweep.yaml"), "test: T\nmetrics: [blue]\n");
        damaged("no-config", m -> Files.delete(m.resolve("config.json")));
        damaged("bad-json", m -> Files.writeString(m.resolve("config.json"), "{\"n_layer\": 2,\n oops}"));
        damaged("bert", m -> Files.writeString(m.resolve("config.json"), "{\"model_type\": \"bert\"}"));
        damaged("heads", m -> replace(m, "\"n_head\": 2", "\"n_head\": 3"));
        damaged("layers", m -> replace(m, "\"n_layer\": 2", "\"n_layer\": 3"));
        damaged("fewer-layers", m -> replace(m, "\"n_layer\": 2", "\"n_layer\": 1"));
        damaged("text-layers", m -> replace(m, "\"n_layer\": 2", "\"n_layer\": \"two\""));
        damaged("activation", m -> replace(m, "gelu_new", "swiglu"));
        damaged("shape", m -> replace(m, "\"n_positions\": 160", "\"n_positions\": 128"));
        damaged("truncated", m -> {
            byte[] bytes = Files.readAllBytes(m.resolve("model.safetensors"));
            Files.write(m.resolve("model.safetensors"), Arrays.copyOf(bytes, bytes.length / 2));
        });
        damaged("no-weights", m -> Files.delete(m.resolve("model.safetensors")));
        damaged("pickle", m -> Files.move(m.resolve("model.safetensors"), m.resolve("pytorch_model.bin")));
        damaged("no-tokenizer", m -> {
            Files.delete(m.resolve("tokenizer.json"));
            Files.delete(m.resolve("vocab.json"));
        });
        damaged("bad-tokenizer", m -> Files.writeString(m.resolve("tokenizer.json"), "{}"));
    }

    private void damaged(String name, Damage damage) throws IOException {
        Path folder = Files.createDirectories(t.resolve(name));
        for (String file : List.of("config.json", "model.safetensors", "tokenizer.json", "vocab.json", "merges.txt")) {
            Files.copy(MODEL.resolve(file), folder.resolve(file));
        }
        damage.to(folder);
    }

    private static void replace(Path model, String from, String to) throws IOException {
        Path file = model.resolve("config.json");
        String text = Files.readString(file);
        assertTrue(text.contains(from));
        Files.writeString(file, text.replace(from, to));
    }

    static Stream<Arguments> cases() {
        return BadInput.all().map(bad -> Arguments.of(bad.command(), bad.code(), bad.message()));
    }

    private List<String> tree() {
        try (Stream<Path> files = Files.walk(t)) {
            return files.sorted()
                    .map(f -> {
                        try {
                            return f + (Files.isRegularFile(f) ? " " + Files.size(f) : "");
                        } catch (IOException e) {
                            throw new UncheckedIOException(e);
                        }
                    })
                    .toList();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("cases")
    void oneLineSaysWhatIsWrongAndNothingIsLeftBehind(String command, int code, String message) {
        List<String> before = tree();
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        ByteArrayOutputStream err = new ByteArrayOutputStream();
        String[] arguments = Arrays.stream(command.split(" "))
                .map(a -> a.equals("M") ? MODEL.toString() : a.replaceFirst("^T/", t + "/"))
                .toArray(String[]::new);
        int found = Main.run(
                arguments,
                new ByteArrayInputStream(new byte[0]),
                new PrintStream(out, true, StandardCharsets.UTF_8),
                new PrintStream(err, true, StandardCharsets.UTF_8));
        String text = err.toString(StandardCharsets.UTF_8);
        assertEquals(code, found, text);
        assertTrue(text.contains(message.replace("T/", t + "/")), text);
        assertEquals(1, text.lines().count(), text);
        assertTrue(text.startsWith("prefix4j: "), text);
        assertFalse(text.contains("unexpected error"), text);
        assertEquals("", out.toString(StandardCharsets.UTF_8));
        assertEquals(before, tree());
    }

    @Test
    void helpIsThereForEveryCommand() {
        for (String command : List.of("train", "generate", "score", "evaluate", "report", "data", "doctor")) {
            ByteArrayOutputStream out = new ByteArrayOutputStream();
            int code = Main.run(
                    new String[] {command, "--help"},
                    new ByteArrayInputStream(new byte[0]),
                    new PrintStream(out, true, StandardCharsets.UTF_8),
                    new PrintStream(new ByteArrayOutputStream()));
            assertEquals(0, code);
            assertTrue(out.toString(StandardCharsets.UTF_8).contains("--json"));
        }
    }
}
