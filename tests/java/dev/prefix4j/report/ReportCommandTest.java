package dev.prefix4j.report;

import static dev.prefix4j.report.ReportTest.run;
import static dev.prefix4j.report.ReportTest.step;
import static dev.prefix4j.report.ReportTest.validation;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.prefix4j.cli.Main;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Reports by command: of a training, of its folder, as CSV. */
class ReportCommandTest {
    private static final Path MODEL = Path.of("tests/resources/model");

    @TempDir
    Path temporary;

    private record Outcome(int code, String out, String err) {}

    private static Outcome prefix4j(Object... arguments) {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        ByteArrayOutputStream err = new ByteArrayOutputStream();
        int code = Main.run(
                Arrays.stream(arguments).map(Object::toString).toArray(String[]::new),
                new ByteArrayInputStream(new byte[0]),
                new PrintStream(out, true, StandardCharsets.UTF_8),
                new PrintStream(err, true, StandardCharsets.UTF_8));
        return new Outcome(code, out.toString(StandardCharsets.UTF_8), err.toString(StandardCharsets.UTF_8));
    }

    /** Trains a small prefix that is validated every two steps. */
    private static Outcome train(Path data, Path run, Object... more) {
        List<Object> arguments = new ArrayList<>(List.of("train", "--model", MODEL, "--data", data, "--out", run));
        arguments.addAll(List.of("--valid-every", 2, "--hidden", 8));
        arguments.addAll(List.of(more));
        return prefix4j(arguments.toArray());
    }

    @Test
    void trainingLeavesAReportThatTheCommandWritesAgain() throws IOException {
        Path data = Files.writeString(
                temporary.resolve("data.tsv"),
                "name : The Mill\tThe Mill.\n"
                        + "name : The Mill\tIt is The Mill.\n"
                        + "name : <b>A\tA it is.\n"
                        + "name : B\tB.\n"
                        + "name : C\tC.\n");
        Path run = temporary.resolve("run");
        Outcome trained = train(data, run, "--valid", data, "--steps", 5, "--tensorboard");
        assertEquals(0, trained.code(), trained.err());
        assertTrue(trained.out().contains("report       " + run.resolve("report.html")), trained.out());
        String page = Files.readString(run.resolve("report.html"));
        assertTrue(page.contains("of 5 (100 %)") && page.contains("libtorch") && page.contains("name : &lt;b&gt;A"));
        String chosen = page.substring(page.indexOf("<h2>Configuration"), page.indexOf("<h3>Defaults"));
        String defaults = page.substring(page.indexOf("<h3>Defaults"));
        assertTrue(chosen.contains("<th>hidden</th>") && !chosen.contains("<th>seed</th>"), chosen);
        assertTrue(defaults.contains("<th>seed</th>") && !defaults.contains("<th>hidden</th>"), defaults);
        List<JsonNode> samples = Files.readAllLines(run.resolve("samples.jsonl")).stream()
                .map(ReportCommandTest::parse)
                .toList();
        assertEquals(
                List.of(2, 2, 2, 4, 4, 4, 5, 5, 5),
                samples.stream().map(s -> s.path("step").intValue()).toList());
        assertEquals(
                List.of("name : The Mill", "name : <b>A", "name : B"),
                samples.stream().limit(3).map(s -> s.path("source").textValue()).toList());
        assertEquals("The Mill.", samples.getFirst().path("reference").textValue());
        try (Stream<Path> events = Files.list(run.resolve("tensorboard"))) {
            assertEquals(1, events.count());
        }

        Files.delete(run.resolve("report.html"));
        Files.delete(run.resolve("loss.png"));
        Outcome reported = prefix4j("report", "--run", run, "--json");
        assertEquals(0, reported.code(), reported.err());
        JsonNode result = parse(reported.out());
        assertTrue(Files.exists(Path.of(result.path("report").textValue())));
        assertTrue(Files.exists(Path.of(result.path("chart").textValue())));
        assertEquals("", reported.err());

        Outcome resumed = prefix4j("train", "--resume", "--out", run);
        assertEquals(0, resumed.code(), resumed.err());
        try (Stream<Path> events = Files.list(run.resolve("tensorboard"))) {
            assertEquals(2, events.count()); // a file of each session
        }
        Outcome nowhere = prefix4j("report", "--run", temporary.resolve("nowhere"));
        assertEquals(1, nowhere.code());
        assertEquals(1, nowhere.err().lines().count());
    }

    @Test
    void withoutValidationTheTrainingSourcesAreSampled() throws IOException {
        Path data = Files.writeString(temporary.resolve("data.tsv"), "name : A\tA.\nname : B\tB.\n");
        Path run = temporary.resolve("run");
        Outcome trained = train(data, run, "--steps", 3);
        assertEquals(0, trained.code(), trained.err());
        assertEquals(
                List.of(2, 2, 3, 3),
                Files.readAllLines(run.resolve("samples.jsonl")).stream()
                        .map(line -> parse(line).path("step").intValue())
                        .toList());
        assertFalse(Files.exists(run.resolve("tensorboard")));
    }

    @Test
    void metricsAreCsvWithARowForEachStep() throws IOException {
        Path run = run(
                temporary.resolve("csv"),
                validation(0, 4) + step(1, 2.5) + validation(1, 3) + step(2, 2.25) + "{\"step\":3,\"lo");
        String expected = """
            step,loss,lr,grad_norm,tokens,seconds,valid_loss,valid_tokens,valid_bits_per_byte
            0,,,,,,4.0,9,
            1,2.5,0.001,0.5,100,0.25,3.0,9,
            2,2.25,0.001,0.5,100,0.25,,,
            """;
        assertEquals(new Outcome(0, expected, ""), prefix4j("report", "--run", run, "--csv"));
        assertEquals(new Outcome(0, expected, ""), prefix4j("report", "--csv", "-", "--run", run));
        Path file = temporary.resolve("metrics.csv");
        assertEquals(0, prefix4j("report", "--run", run, "--csv", file).code());
        assertEquals(expected, Files.readString(file));
        assertFalse(Files.exists(run.resolve("report.html")));

        Files.writeString(run.resolve("metrics.jsonl"), step(1, 2) + "oops\n");
        Outcome damaged = prefix4j("report", "--run", run, "--csv", file);
        assertEquals(1, damaged.code());
        assertTrue(damaged.err().contains("metrics.jsonl:2: expected a JSON object with a 'step'"), damaged.err());
        assertEquals(expected, Files.readString(file)); // as it was
        assertEquals(1, prefix4j("report", "--run", temporary, "--csv").code());
        assertEquals(2, prefix4j("report", "--run", run, "--csv", "--json").code());
    }

    private static JsonNode parse(String json) {
        try {
            return new ObjectMapper().readTree(json);
        } catch (IOException e) {
            throw new java.io.UncheckedIOException(e);
        }
    }
}
