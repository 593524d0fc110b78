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
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class SweepTest {
    @TempDir
    Path t;

    private final ByteArrayOutputStream out = new ByteArrayOutputStream();
    private final ByteArrayOutputStream err = new ByteArrayOutputStream();

    @BeforeEach
    void data() throws IOException {
        Files.writeString(t.resolve("data.tsv"), "name : The Mill\tThe Mill is cheap.\n".repeat(8));
    }

    private int sweep(String plan, String... more) throws IOException {
        Path file = Files.writeString(t.resolve("plan.yaml"), plan.replace("T/", t + "/"));
        out.reset();
        err.reset();
        return Main.run(
                Stream.concat(
                                Stream.of(
                                        "sweep",
                                        file.toString(),
                                        "--out",
                                        t.resolve("out").toString()),
                                Stream.of(more))
                        .toArray(String[]::new),
                new ByteArrayInputStream(new byte[0]),
                new PrintStream(out, true, StandardCharsets.UTF_8),
                new PrintStream(err, true, StandardCharsets.UTF_8));
    }

    private static final String PLAN = """
        train: {model: tests/resources/model, data: T/data.tsv, steps: 1, hidden: 8, prefix-length: 2}
        test: T/data.tsv
        generate: {max-new-tokens: 3}
        variants:
          - {name: prefix}
          - {name: with spaces, compat: authors}
        grid: {seed: [1, 2]}
        claims: [prefix >= with spaces]
        """;

    /** When each file of a run was written, by its name. */
    private Map<String, Long> written(String run) throws IOException {
        Map<String, Long> times = new TreeMap<>();
        try (Stream<Path> files = Files.walk(t.resolve("out/runs").resolve(run))) {
            for (Path file : files.filter(Files::isRegularFile).toList()) {
                times.put(file.toString(), Files.getLastModifiedTime(file).toMillis());
            }
        }
        return times;
    }

    @Test
    void whatHasEndedIsNotRepeated() throws IOException {
        assertEquals(0, sweep(PLAN), err.toString(StandardCharsets.UTF_8));
        String table = Files.readString(t.resolve("out/table.md"));
        assertTrue(table.contains("4 of 4 runs"), table);
        assertTrue(table.contains("| prefix >= with spaces |"), table);
        String page = Files.readString(t.resolve("out/report.html"));
        for (String shown : List.of(
                "<a href=\"runs/prefix_seed-1/report.html\">report</a> · <a"
                        + " href=\"runs/prefix_seed-1/outputs.txt\">outputs</a>",
                "<td>compat authors</td>",
                "bleu ↑",
                "Training loss, smoothed",
                "What the first run of each variant")) {
            assertTrue(page.contains(shown), shown);
        }
        JsonNode second = new ObjectMapper()
                .readTree(t.resolve("out/runs/with-spaces_seed-1/config.json").toFile());
        assertEquals("authors", second.path("compat").asText());
        List<String> ended = List.of("prefix_seed-1", "prefix_seed-2", "with-spaces_seed-2");
        Map<String, Long> before = new TreeMap<>();
        for (String run : ended) {
            before.putAll(written(run));
        }
        Files.delete(t.resolve("out/runs/with-spaces_seed-1/result.json")); // killed before the end
        assertEquals(0, sweep(PLAN, "--list"));
        assertEquals(
                List.of("ended", "ended", "begun", "ended"),
                out.toString(StandardCharsets.UTF_8)
                        .lines()
                        .map(line -> line.split(" +")[0])
                        .toList());
        assertEquals(0, sweep(PLAN), err.toString(StandardCharsets.UTF_8));
        assertEquals(
                List.of("run 3 of 4: with-spaces_seed-1"),
                err.toString(StandardCharsets.UTF_8)
                        .lines()
                        .filter(line -> line.startsWith("run "))
                        .toList());
        Map<String, Long> after = new TreeMap<>();
        for (String run : ended) {
            after.putAll(written(run));
        }
        assertEquals(before, after);
        assertEquals(scores(table), scores(Files.readString(t.resolve("out/table.md"))));
    }

    @Test
    void aPlanMayGrow() throws IOException {
        String small = PLAN.replaceAll("(?s)variants:.*", "grid: {prefix-length: [2, 5000]}\n");
        assertEquals(1, sweep(small));
        assertTrue(
                err.toString(StandardCharsets.UTF_8).contains("1 of 2 runs failed: run_prefix-length-5000"),
                err.toString(StandardCharsets.UTF_8));
        Path adapter = t.resolve("out/runs/run_prefix-length-2/adapter/adapter_model.safetensors");
        long trained = Files.getLastModifiedTime(adapter).toMillis();
        String grown = small.replace("5000", "3") + "metrics: [bleu, rouge-l]\n";
        assertEquals(0, sweep(grown, "--list"));
        assertEquals(
                List.of("to score run_prefix-length-2", "to do    run_prefix-length-3"),
                out.toString(StandardCharsets.UTF_8).lines().toList());
        assertEquals(0, sweep(grown), err.toString(StandardCharsets.UTF_8));
        String table = Files.readString(t.resolve("out/table.md"));
        assertTrue(table.contains("| bleu | rouge-l |") && table.contains("2 of 2 runs"), table);
        assertEquals(trained, Files.getLastModifiedTime(adapter).toMillis());
        assertEquals(1, sweep(grown.replace("hidden: 8", "hidden: 9")));
        assertTrue(err.toString(StandardCharsets.UTF_8)
                .contains("run_prefix-length-2: expected a run with the plan's options {"));
        assertEquals(table, Files.readString(t.resolve("out/table.md")));
    }

    @Test
    void examplesInThePromptAreTakenAnew() throws IOException {
        String plan = PLAN.replaceAll("(?s)variants:.*", "variants: [{name: run, method: in-context, examples: 1}]\n")
                .replace("hidden: 8, prefix-length: 2", "seed: 1");
        assertEquals(0, sweep(plan), err.toString(StandardCharsets.UTF_8));
        Files.delete(t.resolve("out/runs/run/result.json"));
        assertEquals(0, sweep(plan), err.toString(StandardCharsets.UTF_8));
    }

    private static List<String> scores(String table) {
        return table.lines()
                .filter(line -> line.startsWith("|"))
                .map(line -> line.split("\\|")[5])
                .toList();
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "train: {steps: 1, model: M, data: T/data.tsv, rank: 4}|run run: --rank: expected --method lora with"
                        + " it, found prefix",
                "train: {steps: 1, model: M, data: T/data.tsv, stops: 4}|run run: Unknown option: '--stops=4'",
                "train: {steps: none, model: M, data: T/data.tsv}|run run: Invalid value for option '--steps'",
                "train: {steps: 1, data: T/data.tsv}|run run: Missing required option: '--model'",
                "train: {steps: 1, model: M, data: T/none.tsv}|key 'data': expected a data file, found no T/none.tsv",
                "generate: {beam: 5}|run run: Unknown option: '--beam=5'",
                "generate: {beams: 0}|run run: beams must be between 1 and 1024, was 0",
                "metrics: [all]|key 'metrics': expected some of [bleu, ",
                "test: T/none.tsv|key 'test': expected a data file, found no T/none.tsv",
                "test: 'builtin:e2e/tset'|builtin:e2e/tset"
            })
    void wrongPlansAreRefusedBeforeTheLongWork(String line, String message) throws IOException {
        String rest = (line.startsWith("train") ? "" : "train: {steps: 1, model: M, data: T/data.tsv}\n")
                + (line.startsWith("test") ? "" : "test: T/data.tsv\n");
        assertEquals(1, sweep(rest + line + "\n"));
        String found = err.toString(StandardCharsets.UTF_8);
        assertTrue(found.contains(message.replace("T/", t + "/")), found);
        assertEquals(1, found.lines().count(), found);
        assertFalse(Files.exists(t.resolve("out")));
    }
}
