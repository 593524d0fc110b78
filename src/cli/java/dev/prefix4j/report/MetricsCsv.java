package dev.prefix4j.report;

import com.fasterxml.jackson.databind.JsonNode;
import dev.prefix4j.InputFile;
import dev.prefix4j.train.RunDirectory;
import dev.prefix4j.train.Step;
import dev.prefix4j.train.StepReader;
import dev.prefix4j.train.Validation;
import java.io.BufferedWriter;
import java.io.IOException;
import java.io.OutputStream;
import java.io.OutputStreamWriter;
import java.io.UncheckedIOException;
import java.io.Writer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;

/**
 * The metrics of a run as comma-separated values (RFC 4180, lines end in LF): one row for each step, in order, including the
 * validation after it. A field is empty if the log has no such value.
 */
public final class MetricsCsv {
    /**
     * In this order: the step; its mean loss in nats per token; the learning rate; the gradient norm before
     * clipping; tokens without padding; seconds; then, after a validation, its loss in nats per token, the number of tokens
     * it is the mean of, and bits per byte (only in pretraining).
     */
    public static final List<String> COLUMNS = List.of(
            Step.STEP,
            Step.LOSS,
            Step.LEARNING_RATE,
            Step.GRADIENT_NORM,
            Step.TOKENS,
            Step.SECONDS,
            Validation.LOSS,
            Validation.TOKENS,
            Validation.BITS_PER_BYTE);

    private final Writer out;
    private final String[] row = new String[COLUMNS.size()];
    private boolean hasRow;

    private MetricsCsv(Writer out) {
        this.out = out;
    }

    /**
     * Writes the metrics in a folder, row by row; {@code out} stays open.
     *
     * @throws dev.prefix4j.InputException if the folder has no log of steps, or a line of it is corrupt
     */
    public static void write(Path run, OutputStream out) throws IOException {
        Path metrics = run.resolve(RunDirectory.METRICS);
        InputFile.require(metrics, "the steps of a run");
        try {
            MetricsCsv csv = new MetricsCsv(new BufferedWriter(new OutputStreamWriter(out, StandardCharsets.UTF_8)));
            csv.line(COLUMNS.toArray(String[]::new));
            new StepReader(metrics).read(csv::take);
            csv.endRow();
            csv.out.flush();
        } catch (UncheckedIOException e) {
            throw e.getCause();
        }
    }

    /** A line of the same step continues its row, unless the row already has one of its values: then the step was repeated. */
    private void take(JsonNode line) {
        if (hasRow && (!line.path(Step.STEP).asText().equals(row[0]) || isTaken(line))) {
            endRow();
        }
        hasRow = true;
        for (int i = 0; i < row.length; i++) {
            JsonNode value = line.path(COLUMNS.get(i));
            if (value.isNumber()) {
                row[i] = value.asText();
            }
        }
    }

    private boolean isTaken(JsonNode line) {
        for (int i = 1; i < row.length; i++) {
            if (row[i] != null && line.has(COLUMNS.get(i))) {
                return true;
            }
        }
        return false;
    }

    private void endRow() {
        if (hasRow) {
            line(row);
            java.util.Arrays.fill(row, null);
            hasRow = false;
        }
    }

    private void line(String[] fields) {
        try {
            for (int i = 0; i < fields.length; i++) {
                out.write(i == 0 ? "" : ",");
                out.write(fields[i] == null ? "" : fields[i]);
            }
            out.write('\n');
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
