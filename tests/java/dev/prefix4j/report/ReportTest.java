package dev.prefix4j.report;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.ObjectMapper;
import dev.prefix4j.InputException;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.List;
import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.IntStream;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Pages of small hand-made runs. */
class ReportTest {
    private static final Path MODEL = Path.of("tests/resources/model");
    private static final byte[] PNG_SIGNATURE = {(byte) 0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};

    @TempDir
    Path temporary;

    static String step(int step, double loss) {
        return String.format(
                Locale.ROOT,
                "{\"step\":%d,\"loss\":%s,\"lr\":1e-3,\"grad_norm\":0.5,\"tokens\":100,\"seconds\":0.25}%n",
                step,
                loss);
    }

    static String validation(int step, double loss) {
        return String.format(
                Locale.ROOT, "{\"step\":%d,\"valid_loss\":%s,\"valid_tokens\":9,\"best\":true}%n", step, loss);
    }

    private Path run(String name, String metrics) throws IOException {
        return run(temporary.resolve(name), metrics);
    }

    static Path run(Path run, String metrics) throws IOException {
        Files.createDirectories(run);
        Files.writeString(
                run.resolve("config.json"), "{\"model\": \"/models/base\", \"data\": \"/d.csv\", \"lr\": 5e-4}");
        Files.writeString(run.resolve("metrics.jsonl"), metrics);
        return run;
    }

    private Path smallRun() throws IOException {
        StringBuilder metrics = new StringBuilder();
        for (int i = 1; i <= 60; i++) {
            metrics.append(step(i, 2 + 3.0 / i));
            if (i % 20 == 0) {
                metrics.append(validation(i, i == 40 ? 2.25 : 2.5));
            }
        }
        return run("small", metrics.toString());
    }

    private static String write(Path run) throws IOException {
        Report.Written written = Report.write(run);
        assertEquals(java.util.Optional.empty(), written.cannotDraw());
        return Files.readString(written.page());
    }

    private static void assertIsPng(byte[] bytes, int width, int height) throws IOException {
        assertArrayEquals(PNG_SIGNATURE, Arrays.copyOf(bytes, 8));
        var image = ImageIO.read(new ByteArrayInputStream(bytes));
        assertEquals(width, image.getWidth());
        assertEquals(height, image.getHeight());
        assertTrue(IntStream.range(0, width).anyMatch(x -> image.getRGB(x, height / 2) != image.getRGB(0, 0)), "empty");
    }

    @Test
    void showsTheResultsOfTheRun() throws IOException {
        Path run = smallRun();
        Files.createDirectories(run.resolve("adapter"));
        Files.write(run.resolve("adapter/adapter_model.safetensors"), new byte[3 << 20]);
        new Session("train", 240, java.util.Map.of("libtorch", "2.10.0 for CPUs")).write(run);
        String page = write(run);
        for (String fact : List.of(
                "<dd>2.2500</dd><small>at step 40",
                "<dd>60</dd><small>of 240 (25 %)",
                "<dd>400</dd>",
                "<dd>15.0 s</dd>",
                "<dd>3.0 MiB</dd>",
                "2.10.0 for CPUs",
                "/models/base",
                "<th>lr</th><td dir=\"auto\">5.0E-4")) {
            assertTrue(page.contains(fact), fact);
        }
        double last = IntStream.rangeClosed(11, 60)
                .mapToDouble(i -> 2 + 3.0 / i)
                .average()
                .orElseThrow();
        assertTrue(page.contains(String.format(Locale.ROOT, "<dd>%.4f</dd><small>mean of the last 50 steps", last)));
    }

    @Test
    void textOfStrangersIsNotMarkup() throws IOException {
        String hostile = "</td><script>alert(1)</script><img src=x onerror='alert(2)'>\"&\u0000\u202e";
        Path run = run("a<script>b", step(1, 2) + validation(1, 3));
        ObjectMapper json = new ObjectMapper();
        Files.writeString(
                run.resolve("config.json"),
                json.createObjectNode()
                        .put("model", hostile)
                        .put(hostile, hostile)
                        .toString());
        Files.writeString(
                run.resolve("samples.jsonl"),
                json.createObjectNode()
                                .put("step", 1)
                                .put("source", hostile)
                                .put("output", hostile)
                                .put("reference", hostile)
                        + "\n");
        new Session(hostile, 1, java.util.Map.of(hostile, hostile)).write(run);
        String page = write(run);
        assertFalse(page.contains("<script>alert"));
        assertFalse(page.contains("<img src=x"));
        assertFalse(page.contains("<script>b"));
        assertFalse(page.contains("\u0000"));
        assertTrue(page.contains(
                "&lt;script&gt;alert(1)&lt;/script&gt;&lt;img src=x onerror=&#39;alert(2)&#39;&gt;&quot;&amp;"));
        // Four scripts of numbers, one that is run, whose hash the page's policy names.
        assertEquals(5, page.split("<script", -1).length - 1);
    }

    @Test
    void thePageLoadsNothing() throws Exception {
        String page = write(smallRun());
        assertFalse(page.contains("http:") || page.contains("https:"), "an address");
        assertFalse(page.contains("@import") || page.contains("url(") || page.contains("<link"), "a reference");
        Matcher references =
                Pattern.compile("(?:src|srcset|href)=\"([^\"]{0,30})").matcher(page);
        int pictures = 0;
        for (; references.find(); pictures++) {
            assertTrue(references.group(1).startsWith("data:image/png;base64,"), references.group(1));
        }
        assertEquals(10, pictures); // loss: 2 widths, others: 1; each light and dark
        assertTrue(page.contains("default-src 'none'; img-src data:"));
        Matcher script = Pattern.compile("(?s)<script>(.*?)</script>").matcher(page);
        assertTrue(script.find());
        String hash = Base64.getEncoder()
                .encodeToString(java.security.MessageDigest.getInstance("SHA-256")
                        .digest(script.group(1).getBytes(StandardCharsets.UTF_8)));
        assertTrue(page.contains("script-src 'sha256-" + hash + "'"));
    }

    @Test
    void chartsAreCrispPictures() throws IOException {
        Path run = smallRun();
        String page = write(run);
        assertIsPng(Files.readAllBytes(run.resolve("loss.png")), 2080, 840);
        Matcher image = Pattern.compile(
                        "<img src=\"data:image/png;base64,([^\"]+)\" width=\"(\\d+)\" height=\"(\\d+)\"")
                .matcher(page);
        int images = 0;
        for (; image.find(); images++) {
            assertIsPng(
                    Base64.getDecoder().decode(image.group(1)),
                    2 * Integer.parseInt(image.group(2)),
                    2 * Integer.parseInt(image.group(3)));
        }
        assertEquals(4, images);
    }

    @Test
    void oneStepIsEnough() throws IOException {
        String page = write(run("one", step(1, 2.5)));
        assertTrue(page.contains("<dd>2.5000</dd><small>of the one step"));
        assertFalse(page.contains("validation loss"));
        assertFalse(page.contains("<h2>Samples"));
    }

    @Test
    void longRunsAreThinnedAndKeepTheStepsOfValidations() throws IOException {
        StringBuilder metrics = new StringBuilder();
        for (int i = 1; i <= 100_000; i++) {
            metrics.append(step(i, 2 + Math.exp(-i / 1e4)));
            if (i % 12_345 == 0) {
                metrics.append(validation(i, 3));
            }
        }
        Path folder = run("long", metrics.toString());
        String page = write(folder);
        assertTrue(page.length() < 3 << 20);
        RunRecord run = RunRecord.read(folder);
        assertEquals(100_000, run.steps());
        double[] steps = run.loss.steps();
        assertTrue(steps.length > Curve.MAX_POINTS / 2 && steps.length <= Curve.MAX_POINTS, steps.length + " points");
        for (int i = 0; i < steps.length; i++) {
            assertEquals(2 + Math.exp(-steps[i] / 1e4), run.loss.values()[i], 1e-4);
        }
        assertEquals(
                List.of(12_345, 24_690, 37_035, 49_380, 61_725, 74_070, 86_415, 98_760),
                run.validations().stream().map(RunRecord.Validation::step).toList());
    }

    @Test
    void aPointOfACurveIsTheWeightedMeanOfItsSteps() {
        Curve curve = new Curve();
        for (int i = 1; i <= Curve.MAX_POINTS + 1; i++) {
            curve.add(i, i % 2 == 0 ? 10 : 40, i % 2 == 0 ? 2 : 1);
        }
        curve.add(1, Double.NaN, 1);
        assertEquals(Curve.MAX_POINTS / 2 + 1, curve.steps().length);
        assertEquals(1.5, curve.steps()[0]);
        assertEquals(20, curve.values()[0], 1e-12);
        assertEquals(40, curve.values()[Curve.MAX_POINTS / 2], 1e-12);
        double[] smoothed = curve.smoothed();
        assertEquals(20, smoothed[0], 1e-9);
        assertTrue(smoothed[smoothed.length - 1] > 20 && smoothed[smoothed.length - 1] < 40);
    }

    @Test
    void samplesOfManyStepsAreShownEvenlySpread() throws IOException {
        Path run = run("samples", step(1, 2));
        StringBuilder lines = new StringBuilder();
        for (int i = 1; i <= 103; i++) {
            for (String source : List.of("a", "b")) {
                lines.append("{\"step\":%d,\"source\":\"%s\",\"output\":\"%s %d\",\"reference\":null}%n"
                        .formatted(i, source, source, i));
            }
        }
        Files.writeString(run.resolve("samples.jsonl"), lines + "{\"step\":104,\"sou");
        List<RunRecord.Samples> samples = RunRecord.read(run).samples();
        List<Integer> steps = samples.stream().map(RunRecord.Samples::step).toList();
        assertEquals(List.of(1, 17, 33, 49, 65, 81, 97, 103), steps);
        assertTrue(samples.stream().allMatch(s -> s.samples().size() == 2));
        assertTrue(write(run).contains("<tr><th>103</th><td dir=\"auto\">b 103</td></tr>"));
    }

    @Test
    void damageIsSaidInOneLine() throws IOException {
        Path none = temporary.resolve("none");
        assertError(none, "none: expected the folder of a run, found no such folder");
        assertError(run("empty", ""), "metrics.jsonl: expected at least one step, found none");
        assertError(
                run("text", step(1, 2) + "oops\n" + step(2, 2)),
                "metrics.jsonl:2: expected a JSON object with a 'step', found other text");
        assertError(
                run("last", step(1, 2) + "oops\n"),
                "metrics.jsonl:2: expected a JSON object with a 'step', found other text");
        assertError(
                run("nan", "{\"step\":1,\"loss\":\"NaN\"}\n"), "metrics.jsonl:1: key 'loss': expected a finite number");
        Path missing = run("missing", "");
        Files.delete(missing.resolve("metrics.jsonl"));
        assertError(missing, "metrics.jsonl: expected the steps of a run, found no such file");
        Path samples = run("samples", step(1, 2));
        Files.writeString(samples.resolve("samples.jsonl"), "[]\n");
        assertError(samples, "samples.jsonl:1: expected a JSON object with a 'step', found other text");
        // A line that was being written when the process died is not damage.
        assertTrue(write(run("cut", step(1, 2) + "{\"step\":2,\"lo")).contains("<dd>1</dd>"));
    }

    private static void assertError(Path run, String message) throws IOException {
        InputException e = assertThrows(InputException.class, () -> Report.write(run));
        assertTrue(e.getMessage().endsWith(message), e.getMessage());
        assertFalse(Files.exists(run.resolve("report.html")));
    }

    @Test
    void aReportThatCannotBeWrittenDoesNotEndTheRun() throws IOException {
        Path run = smallRun();
        Files.createDirectories(run.resolve("report.html/in the way"));
        List<String> remarks = new ArrayList<>();
        RunReporter reporter = new RunReporter(run, "train", java.util.Map.of(), remarks::add);
        reporter.close(); // no step was taken
        assertEquals(List.of(), remarks);
        reporter.started(60, 60);
        reporter.close();
        assertEquals(1, remarks.size());
        assertTrue(
                remarks.getFirst().startsWith("report: " + run.resolve("report.html") + ": cannot be written"),
                remarks.getFirst());
    }
}
