package dev.prefix4j.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
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

    private final Shell shell = new Shell();

    @Test
    void linesBreakBetweenWords() {
        assertEquals("short", Console.wrapped("short", 80));
        String text = "stopped after step 12; resume with: scripts/prefix4j train --resume --out"
                + " /home/somebody/experiments/run-17";
        String[] lines = Console.wrapped(text, 60).split("\n");
        assertTrue(
                java.util.Arrays.stream(lines).allMatch(line -> line.length() <= 60), () -> String.join("\n", lines));
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
    @ValueSource(
            strings = {
                "score --model tests/resources/model --threads 1 --json --data",
                "generate --model tests/resources/model --max-new-tokens 4 --threads 1 --json --data"
            })
    void dataFromStandardInputIsThatOfAFile(String command) throws IOException {
        Path file = Files.writeString(temporary.resolve("data.tsv"), ROWS);
        String[] words = (command + " FILE").split(" ");
        words[words.length - 1] = file.toString();
        assertEquals(0, shell.run(words), shell::errors);
        String expected = shell.output();
        words[words.length - 1] = "-";
        assertEquals(0, shell.run(Map.of(), ROWS, words), shell::errors);
        assertEquals(expected, shell.output());
    }

    @Test
    void rowsOfStandardInputAreNamed() {
        assertEquals(1, shell.run(Map.of(), "a\tb\nno tab\n", new String[] {
            "data",
            "--data",
            "-",
            "--format",
            "tsv",
            "--out",
            temporary.resolve("o").toString()
        }));
        assertTrue(shell.errors().startsWith("prefix4j: standard input:2: "), shell::errors);
        assertEquals(
                1,
                shell.run("data", "--data", "-", "--out", temporary.resolve("o").toString()));
        assertEquals("prefix4j: standard input: expected examples, found an empty file\n", shell.errors());
    }

    @Test
    void runThatMayGoOnDoesNotReadStandardInput() {
        assertEquals(
                1,
                shell.run(
                        "train",
                        "--model",
                        MODEL,
                        "--data",
                        "-",
                        "--out",
                        temporary.resolve("run").toString()));
        assertEquals(
                "prefix4j: --data -: expected a file, which --resume can read again, found standard input\n",
                shell.errors());
    }

    @Test
    void rowsOfBuiltInDataAreNamedAsTheUserNamesThem() {
        assertEquals(
                1,
                shell.run(
                        "generate",
                        "--model",
                        MODEL,
                        "--data",
                        "builtin:e2e/test",
                        "--max-new-tokens",
                        "5000",
                        "--threads",
                        "1"));
        assertTrue(shell.errors().startsWith("prefix4j: builtin:e2e/test:"), shell::errors);
        assertTrue(!shell.errors().contains("target/"), shell::errors);
    }

    @Test
    void progressIsObjectsWhereResultsAre() throws IOException {
        Path file = Files.writeString(temporary.resolve("data.tsv"), ROWS);
        assertEquals(
                0,
                shell.run(
                        "train",
                        "--model",
                        MODEL,
                        "--data",
                        file.toString(),
                        "--valid",
                        file.toString(),
                        "--valid-every",
                        "2",
                        "--steps",
                        "4",
                        "--prefix-length",
                        "2",
                        "--hidden",
                        "8",
                        "--threads",
                        "1",
                        "--json",
                        "--out",
                        temporary.resolve("run").toString()),
                shell::errors);
        List<JsonNode> progress = shell.errors()
                .lines()
                .filter(line -> line.startsWith("{"))
                .map(line -> {
                    try {
                        return new ObjectMapper().readTree(line);
                    } catch (IOException e) {
                        throw new java.io.UncheckedIOException(e);
                    }
                })
                .toList();
        JsonNode first = progress.getFirst();
        assertEquals(1, first.get("step").asInt());
        assertEquals(4, first.get("total").asInt());
        assertTrue(
                first.get("loss").asDouble() > 0
                        && first.get("tokens_per_s").asDouble() > 0
                        && first.has("seconds_left"),
                first::toString);
        assertEquals(
                List.of(2, 4),
                progress.stream()
                        .filter(node -> node.has("valid_loss"))
                        .map(node -> node.get("step").asInt())
                        .toList());
        assertEquals(1, shell.output().lines().count(), "the result alone is on standard output");
    }
}
