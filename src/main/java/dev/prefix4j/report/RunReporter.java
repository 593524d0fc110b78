package dev.prefix4j.report;

import dev.prefix4j.InputException;
import dev.prefix4j.train.TrainListener;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Map;
import java.util.Optional;
import java.util.function.Consumer;

/** Writes the report of a run every few minutes while it is running, and when it ends for any reason. */
public final class RunReporter implements TrainListener, AutoCloseable {
    /** {@code -Dprefix4j.report.seconds=N} overrides it. */
    private static final Duration INTERVAL =
            Duration.ofSeconds(Math.max(1, Long.getLong("prefix4j.report.seconds", 120)));

    private final Path run;
    private final String command;
    private final Map<String, String> environment;
    private final Consumer<String> remarks;
    private Optional<RunRecord> record = Optional.empty();
    private int steps;
    private int total;
    private long written = System.nanoTime();
    private String lastRemark = "";

    /**
     * @param run folder of the run
     * @param environment of the run, by topic
     * @param remarks receives failures to write a report, which do not end the run
     */
    public RunReporter(Path run, String command, Map<String, String> environment, Consumer<String> remarks) {
        this.run = run;
        this.command = command;
        this.environment = environment;
        this.remarks = remarks;
    }

    @Override
    public void started(int stepsDone, int totalSteps) {
        steps = stepsDone;
        total = totalSteps;
    }

    @Override
    public void stepped(Step step) {
        steps = step.step();
        total = step.total();
        if (System.nanoTime() - written > INTERVAL.toNanos()) {
            write();
        }
    }

    private void write() {
        try {
            new Session(command, total, environment).write(run);
            Report.write(record()).cannotDraw().ifPresent(this::remark);
        } catch (InputException e) {
            record = Optional.empty();
            remark(e.getMessage());
        }
        written = System.nanoTime();
    }

    /** The record so far, updated with new lines. */
    private RunRecord record() {
        if (record.isPresent() && !record.get().isReplaced()) {
            record.get().update();
        } else {
            record = Optional.of(RunRecord.read(run));
        }
        return record.get();
    }

    /** Reports each failure once. */
    private void remark(String text) {
        if (!text.equals(lastRemark)) {
            lastRemark = text;
            remarks.accept("report: " + text);
        }
    }

    /** Writes the last report, if the run has a step. */
    @Override
    public void close() {
        if (steps > 0) {
            write();
        }
    }
}
