package dev.prefix4j.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.prefix4j.eval.Metric;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class EvaluateCommandTest {
    @TempDir
    Path t;

    @BeforeEach
    void files() throws IOException {
        Files.writeString(t.resolve("outputs"), "The Mill serves cheap Thai food.\nZizzi is a pub by the river.\n");
        Files.writeString(t.resolve("others"), "The Mill is cheap.\nZizzi is a pub by the river.\n");
        Files.writeString(t.resolve("refs"), "The Mill has cheap Thai food.\nZizzi is a pub near the river.\n");
        Files.writeString(t.resolve("more"), "Cheap Thai food is at The Mill.\nThere is a pub, Zizzi, by the river.\n");
    }

    private String evaluate(String... more) {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        ByteArrayOutputStream err = new ByteArrayOutputStream();
        String[] arguments = Stream.concat(
                        Stream.of("evaluate", "--hyps", t + "/outputs", "--refs", t + "/refs", "--refs", t + "/more"),
                        Stream.of(more))
                .toArray(String[]::new);
        int code = Main.run(
                arguments,
                new ByteArrayInputStream(new byte[0]),
                new PrintStream(out, true, StandardCharsets.UTF_8),
                new PrintStream(err, true, StandardCharsets.UTF_8));
        assertEquals(0, code, err.toString(StandardCharsets.UTF_8));
        return out.toString(StandardCharsets.UTF_8);
    }

    @Test
    void theBleuLineComesAloneUnlessMoreIsRequested() {
        String line = evaluate();
        assertEquals(1, line.lines().count());
        assertTrue(line.startsWith("BLEU = "), line);
        assertTrue(evaluate("--metrics", "ter,chrf", "--against", t + "/others", "--confidence")
                .startsWith(line));
    }

    @Test
    void theTableHasALineForEachMetric() {
        List<String> lines = evaluate("--metrics", "all").lines().toList();
        assertEquals(1 + Metric.values().length, lines.size());
        for (Metric metric : Metric.values()) {
            assertTrue(lines.get(1 + metric.ordinal()).startsWith(metric.label() + "  "), lines.toString());
        }
        assertEquals(1, lines.stream().skip(1).map(String::length).distinct().count());
    }

    @Test
    void theTableNamesIntervalsAndTests() {
        List<String> lines = evaluate("--metrics", "ter", "--confidence", "--against", t + "/others")
                .lines()
                .toList();
        assertEquals(3, lines.size());
        assertEquals(
                List.of("score", "95 % interval", "against", "95 % interval", "p, bootstrap", "p, randomized"),
                List.of(lines.get(1).strip().split(" {2,}")));
        assertEquals(7, lines.get(2).split(" {2,}").length, lines.get(2));
    }

    @Test
    void jsonHasEveryMetricWithIntervalsAndTheTests() throws IOException {
        JsonNode node = new ObjectMapper().readTree(evaluate("--json", "--against", t + "/others"));
        for (String key :
                List.of("bleu", "precisions", "brevity_penalty", "hyp_len", "ref_len", "tokenize", "segments")) {
            assertTrue(node.has(key), key);
        }
        assertEquals(Metric.values().length, node.path("metrics").size());
        assertEquals(node.path("bleu"), node.path("metrics").path("bleu").path("score"));
        for (Metric metric : Metric.values()) {
            JsonNode result = node.path("metrics").path(metric.key());
            assertTrue(result.path("low").asDouble() <= result.path("high").asDouble(), metric.key());
            assertTrue(result.path("against").path("score").isNumber(), metric.key());
            assertTrue(result.path("p_bootstrap").asDouble() > 0, metric.key());
            assertTrue(result.path("p_randomization").asDouble() > 0, metric.key());
        }
        assertFalse(node.path("metrics").path("ter").path("higher_is_better").asBoolean(true));
    }

    @Test
    void theSeedDecides() {
        String[] arguments = {"--json", "--metrics", "bleu,chrf", "--seed", "7"};
        assertEquals(evaluate(arguments), evaluate(arguments));
    }

    @Test
    void emptyReferencesAreKeptOrSkippedAsAsked() throws IOException {
        Files.writeString(t.resolve("more"), "Cheap Thai food is at The Mill.\n\n");
        String kept = evaluate("--metrics", "rouge-l");
        assertEquals(kept, evaluate("--metrics", "rouge-l", "--empty-refs", "keep"));
        String skipped = evaluate("--json", "--metrics", "bleu", "--empty-refs", "skip");
        Files.writeString(t.resolve("more"), "Cheap Thai food is at The Mill.\nZizzi is a pub near the river.\n");
        assertEquals(skipped, evaluate("--json", "--metrics", "bleu")); // the reference that both had, twice
    }
}
