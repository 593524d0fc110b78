package dev.prefix4j.report;

import dev.prefix4j.InputException;
import dev.prefix4j.SettingException;
import dev.prefix4j.train.Step;
import dev.prefix4j.train.TrainListener;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Map;
import java.util.Optional;
import java.util.function.Consumer;

/** Writes the report of a run every few minutes while it is running, and when it ends for any reason. */
public final class RunReporter implements TrainListener, AutoCloseable {
    /** A system property: seconds between two reports. */
    private static final String SECONDS = "prefix4j.report.seconds";

    private final Duration interval = interval();
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
     * @param environment what the run runs on, by topic
     * @param remarks takes what kept a report from being written: it does not end a run
     * @throws SettingException if the system property {@value #SECONDS} is no number of seconds
     */
    public RunReporter(Path run, String command, Map<String, String> environment, Consumer<String> remarks) {
        this.run = run;
        this.command = command;
        this.environment = environment;
        this.remarks = remarks;
    }

    private static Duration interval() {
        String seconds = System.getProperty(SECONDS, "120");
        if (!seconds.matches("[1-9][0-9]{0,8}")) {
            throw new SettingException(
                    "system property %s: expected a number of seconds, found '%s'".formatted(SECONDS, seconds));
        }
        return Duration.ofSeconds(Long.parseLong(seconds));
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
        if (System.nanoTime() - written > interval.toNanos()) {
            write();
        }
    }

    private void write() {
        try {
            new Session(command, total, environment).write(run);
            Report.write(record()).cannotDraw().ifPresent(this::remark);
        } catch (InputException e) {
            record = Optional.empty();
            remark(String.valueOf(e.getMessage()));
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
