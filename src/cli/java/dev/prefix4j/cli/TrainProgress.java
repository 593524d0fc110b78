package dev.prefix4j.cli;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.prefix4j.eval.Likelihood;
import dev.prefix4j.train.Sample;
import dev.prefix4j.train.Step;
import dev.prefix4j.train.TrainListener;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import me.tongfei.progressbar.ProgressBar;
import org.jspecify.annotations.Nullable;

/** Shows a run: a progress bar on a terminal, otherwise an occasional line; JSON objects with {@code --json}. */
class TrainProgress implements TrainListener, AutoCloseable {
    private static final long LINE_NANOS = 10_000_000_000L;

    /** Weight of the newest step in the averages that are shown. */
    private static final double SMOOTHING = 0.05;

    private final Console console;
    private final boolean json;
    private @Nullable ProgressBar bar; // null: none
    private double loss = Double.NaN;
    private double tokensPerSecond = Double.NaN;
    private double secondsPerStep = Double.NaN;
    private List<String> samples = List.of();
    private long lastLine = System.nanoTime();

    /** @param json whether lines are objects; there is no bar then */
    TrainProgress(Console console, boolean json) {
        this.console = console;
        this.json = json;
    }

    @Override
    public void started(int stepsDone, int total) {
        if (stepsDone > 0) {
            console.say(
                    stepsDone == total
                            ? "all %2$,d steps are done: more --steps or --epochs continue the run"
                            : "resuming after step %,d of %,d",
                    stepsDone,
                    total);
        }
        if (console.isWatched() && !json && stepsDone < total) {
            bar = Progress.builder(console, "train")
                    .setInitialMax(total)
                    .startsFrom(stepsDone, Duration.ZERO)
                    .build();
        }
    }

    @Override
    public void stepped(Step step) {
        loss = smooth(loss, step.loss());
        tokensPerSecond = smooth(tokensPerSecond, step.tokens() / step.seconds());
        secondsPerStep = smooth(secondsPerStep, step.seconds());
        if (bar != null) {
            bar.maxHint(step.total());
            bar.stepTo(step.step());
            bar.setExtraMessage("loss %.3f, %,.0f tokens/s".formatted(loss, tokensPerSecond));
        } else if (step.step() == 1 || System.nanoTime() - lastLine > LINE_NANOS) {
            lastLine = System.nanoTime();
            double left = (step.total() - step.step()) * secondsPerStep;
            if (json) {
                console.err()
                        .println(ConsoleCommand.JSON
                                .createObjectNode()
                                .put("step", step.step())
                                .put("total", step.total())
                                .put("loss", loss)
                                .put("tokens_per_s", tokensPerSecond)
                                .put("seconds_left", left));
                return;
            }
            console.say(
                    "step %,d of %,d: loss %.3f, %,.0f tokens/s, %s left",
                    step.step(), step.total(), loss, tokensPerSecond, duration(left));
        }
    }

    private static double smooth(double old, double value) {
        return Double.isNaN(old) ? value : old + SMOOTHING * (value - old);
    }

    private static String duration(double seconds) {
        long s = Math.round(seconds);
        return s >= 3600 ? "%d h %d min".formatted(s / 3600, s % 3600 / 60) : "%d min %d s".formatted(s / 60, s % 60);
    }

    @Override
    public void validating(int sequences) {
        if (bar != null) {
            bar.setExtraMessage("validating on %,d sequences".formatted(sequences));
            bar.refresh();
        }
    }

    @Override
    public void validated(int step, Likelihood likelihood, boolean best) {
        if (json) {
            ObjectNode node = ConsoleCommand.JSON.createObjectNode();
            node.put("step", step).put("valid_loss", likelihood.loss()).put("best", best);
            samples.forEach(node.withArray("remarks")::add);
            console.err().println(node);
            return;
        }
        List<String> lines = new ArrayList<>();
        lines.add(
                "step %,d: validation loss %.4f%s".formatted(step, likelihood.loss(), best ? ", the best so far" : ""));
        lines.addAll(samples);
        if (bar != null) {
            bar.pause();
            console.clearLine(); // clears the bar, which is drawn again below
        }
        lines.forEach(line -> console.say("%s", line));
        if (bar != null) {
            bar.resume();
        }
    }

    @Override
    public void sampled(int step, List<Sample> samples) {
        this.samples = samples.stream()
                .map(sample -> "  » " + (sample.source() + sample.output()).replaceAll("\\s*\n\\s*", " ¶ "))
                .toList();
    }

    @Override
    public void close() {
        if (bar != null) {
            bar.close();
            bar = null;
        }
    }
}
