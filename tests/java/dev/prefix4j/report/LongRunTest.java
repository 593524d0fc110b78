package dev.prefix4j.report;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.prefix4j.InputException;
import java.io.IOException;
import java.io.Writer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Logs of a million steps, and logs that somebody else has written. */
class LongRunTest {
    private static final int STEPS = 1_000_000;

    @TempDir
    Path run;

    private static double loss(int step) {
        return 2 + (step * 2_654_435_761L >>> 8 & 0xffff) / 65_536.0;
    }

    private void write(int from, int to) throws IOException {
        try (Writer out = Files.newBufferedWriter(
                run.resolve("metrics.jsonl"), StandardOpenOption.CREATE, StandardOpenOption.APPEND)) {
            for (int i = from; i <= to; i++) {
                out.write("{\"step\":" + i + ",\"loss\":" + loss(i)
                        + ",\"lr\":1e-3,\"grad_norm\":0.5,\"tokens\":10,\"seconds\":0.25}\n");
                if (i % 100 == 0) {
                    out.write("{\"step\":" + i + ",\"valid_loss\":" + (i == 123_400 ? 1.5 : 3) + "}\n");
                }
            }
        }
    }

    @Test
    void aMillionStepsAreKeptInAFewThousandPoints() throws IOException {
        Files.writeString(run.resolve("config.json"), "{}");
        write(1, STEPS / 2);
        RunRecord record = RunRecord.read(run);
        write(STEPS / 2 + 1, STEPS);
        record.update(); // continues where it stopped
        assertFalse(record.isReplaced());
        assertEquals(STEPS, record.steps());
        assertEquals(10.0 * STEPS, record.tokens());
        assertEquals(0.25 * STEPS, record.seconds());
        Curve curve = record.loss;
        int points = curve.steps().length;
        int each = curve.perPoint();
        assertTrue(points <= Curve.MAX_POINTS && points > Curve.MAX_POINTS / 2 - 1, points + " points");
        assertEquals(points, Math.ceilDiv(STEPS, each));
        double[] leasts = curve.least();
        double[] mosts = curve.most();
        double[] means = curve.values();
        for (int p = 0; p < points; p++) {
            double least = Double.MAX_VALUE;
            double most = -Double.MAX_VALUE;
            double sum = 0;
            int last = Math.min(STEPS, (p + 1) * each);
            for (int i = p * each + 1; i <= last; i++) {
                least = Math.min(least, loss(i));
                most = Math.max(most, loss(i));
                sum += loss(i);
            }
            assertEquals(least, leasts[p]);
            assertEquals(most, mosts[p]);
            assertEquals(sum / (last - p * each), means[p], 1e-9);
        }
        double tail = 0;
        for (int i = STEPS - 49; i <= STEPS; i++) {
            tail += loss(i) / 50;
        }
        assertEquals(tail, record.lastLoss(), 1e-9);
        assertEquals(new RunRecord.Validation(123_400, 1.5), record.best().orElseThrow());
        assertTrue(record.validations().size() <= Curve.MAX_POINTS);
        assertTrue(record.validations().contains(record.best().orElseThrow()));
    }

    @Test
    void aLogThatWasReplacedIsReadAgain() throws IOException {
        Files.writeString(run.resolve("config.json"), "{}");
        write(1, 200);
        RunRecord record = RunRecord.read(run);
        Files.delete(run.resolve("metrics.jsonl"));
        write(1, 100);
        assertTrue(record.isReplaced());
    }

    @Test
    void hostileLogsEndInOneLine() throws IOException {
        Files.writeString(run.resolve("config.json"), "{}");
        refused("{\"step\":1,\"loss\":1e1000000000}\n", "metrics.jsonl:1: key 'loss': expected a finite number");
        refused(
                "{\"step\":1e1000000000,\"loss\":1}\n",
                "metrics.jsonl:1: expected a JSON object with a 'step', found other text");
        refused("{\"step\":-1,\"loss\":1}\n", "metrics.jsonl:1: key 'step': expected at least 0, found -1");
        refused(
                "{\"step\":1,\"loss\":NaN}\n",
                "metrics.jsonl:1: expected a JSON object with a 'step', found other text");
        refused(
                "{\"step\":2,\"loss\":1}\n{\"step\":1,\"loss\":1}\n",
                "metrics.jsonl:2: key 'step': expected at least 2, as in the line before, found 1");
        refused("x".repeat(3 << 20), "metrics.jsonl:1: expected a line of at most 1,048,576 bytes, found a longer one");
        refused("[".repeat(100_000) + "\n", "metrics.jsonl:1: expected a JSON object with a 'step', found other text");
    }

    private void refused(String metrics, String message) throws IOException {
        Files.writeString(run.resolve("metrics.jsonl"), metrics);
        InputException e = assertThrows(InputException.class, () -> RunRecord.read(run));
        assertTrue(e.getMessage().endsWith(message), e.getMessage());
    }
}
