package dev.prefix4j.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class ConsoleTest {
    private static final String MODEL = "tests/resources/model";
    private static final String ROWS = "name : The Mill\tThe Mill is cheap.\nname : The Plough\tThe Plough is dear.\n";

    @TempDir
    Path temporary;

    private final ByteArrayOutputStream out = new ByteArrayOutputStream();
    private final ByteArrayOutputStream err = new ByteArrayOutputStream();

    private int run(String input, String... arguments) {
        out.reset();
        err.reset();
        return Main.run(
                arguments,
                new ByteArrayInputStream(input.getBytes(StandardCharsets.UTF_8)),
                new PrintStream(out, true, StandardCharsets.UTF_8),
                new PrintStream(err, true, StandardCharsets.UTF_8),
                Map.of());
    }

    private String errors() {
        return err.toString(StandardCharsets.UTF_8);
    }

    private String output() {
        return out.toString(StandardCharsets.UTF_8);
    }

    @Test
    void linesBreakBetweenWords() {
        assertEquals("short", Console.wrapped("short", 80));
        String text = "stopped after step 12; go on with: scripts/prefix4j train --resume --out /home/somebody/experiments/run-17";
        String[] lines = Console.wrapped(text, 60).split("\n");
        assertTrue(java.util.Arrays.stream(lines).allMatch(line -> line.length() <= 60), () -> String.join("\n", lines));
        assertEquals(text, String.join(" ", List.of(lines)).replaceAll(" +", " "));
        assertTrue(lines[1].startsWith("  "), lines[1]);
    }

    @Test
    void longWordsAndNarrowTerminalsStayAsTheyAre() {
        String path = "/" + "x".repeat(100);
        assertEquals("see\n  " + path + "\n  there", Console.wrapped("see " + path + " there", 60));
        assertEquals("one two three four five six", Console.wrapped("one two three four five six", 10));
    }

    @ParameterizedTest
    @ValueSource(strings = {
        "score --model tests/resources/model --threads 1 --json --data",
        "generate --model tests/resources/model --max-new-tokens 4 --threads 1 --json --data"
    })
    void dataFromStandardInputIsThatOfAFile(String command) throws IOException {
        Path file = Files.writeString(temporary.resolve("data.tsv"), ROWS);
        String[] words = (command + " FILE").split(" ");
        words[words.length - 1] = file.toString();
        assertEquals(0, run("", words), this::errors);
        String expected = output();
        words[words.length - 1] = "-";
        assertEquals(0, run(ROWS, words), this::errors);
        assertEquals(expected, output());
    }

    @Test
    void rowsOfStandardInputAreNamed() {
        assertEquals(1, run("a\tb\nno tab\n", "data", "--data", "-", "--format", "tsv", "--out", temporary.resolve("o").toString()));
        assertTrue(errors().startsWith("prefix4j: standard input:2: "), this::errors);
        assertEquals(1, run("", "data", "--data", "-", "--out", temporary.resolve("o").toString()));
        assertEquals("prefix4j: standard input: expected examples, found an empty file\n", errors());
    }

    @Test
    void runThatMayGoOnDoesNotReadStandardInput() {
        assertEquals(1, run(ROWS, "train", "--model", MODEL, "--data", "-", "--out", temporary.resolve("run").toString()));
        assertEquals("prefix4j: --data -: expected a file, which --resume can read again, found standard input\n", errors());
    }

    @Test
    void rowsOfBuiltInDataAreNamedAsTheUserNamesThem() {
        assertEquals(1, run("", "generate", "--model", MODEL, "--data", "builtin:e2e/test", "--max-new-tokens", "5000", "--threads", "1"));
        assertTrue(errors().startsWith("prefix4j: builtin:e2e/test:"), this::errors);
        assertTrue(!errors().contains("target/"), this::errors);
    }

    @Test
    void progressIsObjectsWhereResultsAre() throws IOException {
        Path file = Files.writeString(temporary.resolve("data.tsv"), ROWS);
        assertEquals(0, run("", "train", "--model", MODEL, "--data", file.toString(), "--valid", file.toString(), "--valid-every", "2",
                "--steps", "4", "--prefix-length", "2", "--hidden", "8", "--threads", "1", "--json", "--out",
                temporary.resolve("run").toString()), this::errors);
        List<JsonNode> progress = errors().lines().filter(line -> line.startsWith("{")).map(line -> {
            try {
                return new ObjectMapper().readTree(line);
            } catch (IOException e) {
                throw new java.io.UncheckedIOException(e);
            }
        }).toList();
        JsonNode first = progress.getFirst();
        assertEquals(1, first.get("step").asInt());
        assertEquals(4, first.get("total").asInt());
        assertTrue(first.get("loss").asDouble() > 0 && first.get("tokens_per_s").asDouble() > 0 && first.has("seconds_left"), first::toString);
        assertEquals(List.of(2, 4), progress.stream().filter(node -> node.has("valid_loss")).map(node -> node.get("step").asInt()).toList());
        assertEquals(1, output().lines().count(), "the result alone is on standard output");
    }
}
