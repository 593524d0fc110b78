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

    @ParameterizedTest
    @CsvSource({
        "e2e, prefix, 8e-5, 10, 5",
        "webnlg, prefix, 5e-5, 5, 5",
        "dart, prefix, 5e-5, 5, 10",
        "e2e, adapter --adapter-share 0.009, 8e-5, 5, 10",
        "webnlg, fine-tune, 1e-5, 6, 10",
        "webnlg, fine-tune-top --top-blocks 1, 5e-5, 9, 10",
        "dart, embedding, 5e-5, 5, 10"
    })
    void setsWhatThePaperUsed(String recipe, String method, double learningRate, int batchSize, int length)
            throws IOException {
        JsonNode config = train("--recipe " + recipe + " --method " + method);
        assertEquals(learningRate, config.path("lr").doubleValue());
        assertEquals(batchSize, config.path("batch-size").intValue());
        assertEquals(length, config.path("prefix-length").intValue());
        assertFalse(config.has("epochs"), "steps are given");
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
        run("generate --model tests/resources/model --adapter T/run/adapter --data T/data.tsv --limit 1 --max-new-tokens 3"
                + " --recipe xsum --json");
        assertTrue(err.toString(StandardCharsets.UTF_8)
                .contains("recipe xsum (Li and Liang 2021, Table 6): --beams 6 --length-penalty 0.8 --max-source-tokens 512"));
    }

    @Test
    void compatibilityIsOfTheWholeRun() throws IOException {
        JsonNode config = train("--compat authors");
        assertEquals("sentence", config.path("objective").textValue());
        run("score --model tests/resources/model --adapter T/run/adapter --data T/data.tsv --compat authors --json");
        double theirs = JSON.readTree(out.toByteArray()).path("tokens").asDouble();
        run("score --model tests/resources/model --adapter T/run/adapter --data T/data.tsv --json");
        assertEquals(theirs, JSON.readTree(out.toByteArray()).path("tokens").asDouble() + 30, "a space before each EOS");
        run("generate --model tests/resources/model --adapter T/run/adapter --data T/data.tsv --limit 1 --max-new-tokens 3"
                + " --beams 3 --compat authors --json");
        assertEquals("name : The Mill ", JSON.readTree(out.toByteArray()).path("source").textValue());
    }
}
