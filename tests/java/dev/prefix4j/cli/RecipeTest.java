package dev.prefix4j.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
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
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class RecipeTest {
    private static final ObjectMapper JSON = new ObjectMapper();

    @TempDir
    Path t;

    private final ByteArrayOutputStream out = new ByteArrayOutputStream();
    private final ByteArrayOutputStream err = new ByteArrayOutputStream();

    private void run(String command) {
        out.reset();
        int code = Main.run(
                command.replace("T/", t + "/").split(" +"),
                new ByteArrayInputStream(new byte[0]),
                new PrintStream(out, true, StandardCharsets.UTF_8),
                new PrintStream(err, true, StandardCharsets.UTF_8));
        assertEquals(0, code, err.toString(StandardCharsets.UTF_8));
    }

    private JsonNode train(String more) throws IOException {
        Files.writeString(t.resolve("data.tsv"), "name : The Mill\tThe Mill is cheap.\n".repeat(30));
        run("train --model tests/resources/model --data T/data.tsv --steps 1 --hidden 8 --out T/run " + more);
        return JSON.readTree(t.resolve("run/config.json").toFile());
    }

    /** Table 6 of the paper: learning rate, epochs, batch size, prefix length ("": not of that method). */
    @ParameterizedTest
    @CsvSource({
        "e2e, prefix, 0.03, 8e-5, 5, 10, 5",
        "webnlg, prefix, 0.03, 5e-5, 5, 5, 5",
        "dart, prefix, 0.03, 5e-5, 10, 5, 10",
        "xsum, prefix, 0.03, 5e-5, 30, 14, 100",
        "e2e, adapter, 0.03, 5e-5, 5, 5, ",
        "e2e, adapter, 0.001, 8e-5, 10, 5, ",
        "webnlg, adapter, 0.03, 5e-5, 5, 5, ",
        "webnlg, adapter, 0.001, 5e-5, 10, 5, ",
        "dart, adapter, 0.03, 5e-5, 5, 5, ",
        "dart, adapter, 0.001, 8e-5, 5, 5, ",
        "e2e, fine-tune, 0.03, 5e-5, 5, 10, ",
        "webnlg, fine-tune, 0.03, 1e-5, 10, 6, ",
        "dart, fine-tune, 0.03, 1e-5, 10, 6, ",
        "e2e, fine-tune-top, 0.03, 5e-5, 5, 10, ",
        "webnlg, fine-tune-top, 0.03, 5e-5, 10, 9, ",
        "dart, fine-tune-top, 0.03, 5e-5, 5, 5, ",
        "dart, lora, 0.03, 5e-5, 10, 5, 10"
    })
    void hasWhatThePaperUsed(
            String recipe,
            String method,
            double share,
            double learningRate,
            int epochs,
            int batchSize,
            Integer length) {
        Map<String, Object> values = Recipe.parse(recipe).training(method, share);
        assertEquals(learningRate, values.get("--lr"));
        assertEquals(epochs, values.get("--epochs"));
        assertEquals(batchSize, values.get("--batch-size"));
        assertEquals(length, values.get("--prefix-length"));
        assertEquals(recipe.equals("xsum") ? 512 : null, values.get("--max-source-tokens"));
        assertEquals(recipe.equals("xsum") ? 800 : null, values.get("--hidden"), "footnote 4");
    }

    @Test
    void givesTheRunItsValues() throws IOException {
        JsonNode config = train("--recipe dart --method embedding");
        assertEquals(5e-5, config.path("lr").doubleValue());
        assertEquals(5, config.path("batch-size").intValue());
        assertEquals(10, config.path("prefix-length").intValue());
        assertFalse(config.has("epochs"), "steps are given");
    }

    @Test
    void samplingNeedsNoBeams() throws IOException {
        train("--prefix-length 3");
        run("generate --model tests/resources/model --adapter T/run/adapter --data T/data.tsv --limit 1"
                + " --max-new-tokens 3 --recipe e2e --top-p 0.9 --json");
        assertTrue(err.toString(StandardCharsets.UTF_8)
                .contains("recipe e2e (Li and Liang 2021, section 5.3): every option is already given"));
    }

    @Test
    void resumedRunsKeepThem() throws IOException {
        JsonNode config = train("--recipe dart --compat authors --sample 20 --sample-seed 7");
        run("train --resume --out T/run");
        assertEquals(config, JSON.readTree(t.resolve("run/config.json").toFile()));
    }

    @Test
    void runsThatAreOlderThanAnOptionHaveItsDefault() throws IOException {
        JsonNode config = train("--prefix-length 3");
        Path file = t.resolve("run/config.json");
        ((com.fasterxml.jackson.databind.node.ObjectNode) config).remove("compat");
        Files.writeString(file, config.toString());
        run("train --resume --out T/run");
    }

    @Test
    void aConfigurationOfSomebodyElseIsLeftAlone() throws IOException {
        train("--prefix-length 3");
        Files.createDirectory(t.resolve("other"));
        Files.move(t.resolve("run/adapter"), t.resolve("other/adapter"));
        Files.writeString(t.resolve("other/config.json"), "{broken");
        run("generate --model tests/resources/model --adapter T/other/adapter --prompt x --max-new-tokens 2");
    }

    @Test
    void groupsByTheCleanSource() throws IOException {
        train("--prefix-length 3");
        Path triples = Files.writeString(
                t.resolve("dart.json"),
                "[{\"tripleset\": [[\"A\", \"REL\", \"B\"]], \"annotations\": [{\"text\": \"T.\"}]},"
                        + "{\"tripleset\": [[\"A\", \"rel\", \"B\"]], \"annotations\": [{\"text\": \"T.\"}]}]");
        run("generate --model tests/resources/model --adapter T/run/adapter --data " + triples
                + " --distinct --compat authors --max-new-tokens 3 --out T/outputs.txt");
        run("evaluate --hyps T/outputs.txt --data " + triples);
        assertEquals(2, Files.readAllLines(t.resolve("outputs.txt")).size());
    }

    @Test
    void whatIsGivenWins() throws IOException {
        JsonNode config = train("--recipe e2e --lr 1e-3 --prefix-length 3");
        assertEquals(1e-3, config.path("lr").doubleValue());
        assertEquals(3, config.path("prefix-length").intValue());
        assertTrue(err.toString(StandardCharsets.UTF_8)
                .contains("recipe e2e (Li and Liang 2021, Table 6): --batch-size 10"));
    }

    @Test
    void decodesWithTheirBeams() throws IOException {
        train("--recipe xsum --prefix-length 3 --max-source-tokens 20");
        run("generate --model tests/resources/model --adapter T/run/adapter --data T/data.tsv --limit 1"
                + " --max-new-tokens 3 --recipe xsum --json");
        assertTrue(err.toString(StandardCharsets.UTF_8)
                .contains("recipe xsum (Li and Liang 2021, section 5.3): --beams 6 --length-penalty 0.8"
                        + " --max-source-tokens 512"));
    }

    @Test
    void compatibilityIsOfTheWholeRun() throws IOException {
        JsonNode config = train("--compat authors");
        assertEquals("sentence", config.path("objective").textValue());
        run("score --model tests/resources/model --adapter T/run/adapter --data T/data.tsv --compat authors --json");
        double theirs = JSON.readTree(out.toByteArray()).path("tokens").asDouble();
        run("score --model tests/resources/model --adapter T/run/adapter --data T/data.tsv --json");
        assertEquals(
                theirs, JSON.readTree(out.toByteArray()).path("tokens").asDouble() + 30, "a space before each EOS");
        assertTrue(err.toString(StandardCharsets.UTF_8)
                .contains("was trained with --compat authors, this is --compat none"));
        run("generate --model tests/resources/model --adapter T/run/adapter --data T/data.tsv --limit 1"
                + " --max-new-tokens 3 --beams 3 --compat authors --json");
        assertEquals(
                " name : The Mill ",
                JSON.readTree(out.toByteArray()).path("source").textValue());
    }
}
