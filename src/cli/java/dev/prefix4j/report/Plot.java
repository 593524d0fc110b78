package dev.prefix4j.report;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;

/**
 * The content of a chart, apart from its style.
 *
 * @param quantity of the y axis, with its unit
 * @param pattern of its values, for {@link java.text.DecimalFormat}
 * @param lastStep end of the x axis
 * @param least start of the y axis
 * @param most end of the y axis; larger values are cut off
 */
record Plot(String quantity, String pattern, int lastStep, double least, double most, List<Line> lines) {
    /** How a line is drawn. */
    enum Role {
        /** Faint. */
        RAW,
        /** Bold. */
        MAIN,
        /** Bold, with markers. */
        VALIDATION,
        /** One point. */
        BEST
    }

    /** One curve, of at least one point. */
    record Line(String name, Role role, double[] steps, double[] values) {}

    private static final double RARE = 0.01;
    private static final double MARGIN = 0.04;

    /** Training and validation loss. */
    static Plot loss(RunRecord run) {
        List<Line> lines = smoothed(run.loss, "training loss (%s)");
        List<RunRecord.Validation> validations = run.validations();
        if (!validations.isEmpty()) {
            lines.add(new Line(
                    "validation loss (measured)",
                    Role.VALIDATION,
                    validations.stream().mapToDouble(RunRecord.Validation::step).toArray(),
                    validations.stream().mapToDouble(RunRecord.Validation::loss).toArray()));
        }
        run.best()
                .ifPresent(best -> lines.add(new Line(
                        String.format(Locale.ROOT, "best validation loss (step %,d)", best.step()),
                        Role.BEST,
                        new double[] {best.step()},
                        new double[] {best.loss()})));
        return of("loss (nats per token)", "#,##0.0##", run, false, lines);
    }

    /** The learning rate of each step. */
    static Plot learningRate(RunRecord run) {
        return of(
                "learning rate",
                "0.########",
                run,
                true,
                List.of(new Line("learning rate", Role.MAIN, run.learningRate.steps(), run.learningRate.values())));
    }

    /** Tokens per second. */
    static Plot speed(RunRecord run) {
        return of("tokens per second", "#,##0", run, true, smoothed(run.speed, "%s"));
    }

    /** The gradient norm before clipping. */
    static Plot gradientNorm(RunRecord run) {
        return of("norm before clipping", "#,##0.###", run, true, smoothed(run.gradientNorm, "%s"));
    }

    private static List<Line> smoothed(Curve curve, String name) {
        List<Line> lines = new ArrayList<>();
        if (curve.perPoint() == 1) {
            lines.add(new Line(name.formatted("each step"), Role.RAW, curve.steps(), curve.values()));
        } else {
            lines.add(range(name, curve));
        }
        lines.add(new Line(name.formatted("smoothed"), Role.MAIN, curve.steps(), curve.smoothed()));
        return lines;
    }

    /** From the minimum to the maximum of each point and back: a band. */
    private static Line range(String name, Curve curve) {
        double[] steps = curve.steps();
        double[] least = curve.least();
        double[] most = curve.most();
        double[] twice = new double[2 * steps.length];
        double[] ends = new double[2 * steps.length];
        for (int i = 0; i < steps.length; i++) {
            twice[2 * i] = steps[i];
            twice[2 * i + 1] = steps[i];
            ends[2 * i] = i % 2 == 0 ? least[i] : most[i];
            ends[2 * i + 1] = i % 2 == 0 ? most[i] : least[i];
        }
        String all = String.format(Locale.ROOT, "range over %,d steps", curve.perPoint());
        return new Line(name.formatted(all), Role.RAW, twice, ends);
    }

    /** Rare raw values, such as spikes, do not affect the scale. */
    private static Plot of(String quantity, String pattern, RunRecord run, boolean fromZero, List<Line> lines) {
        double least = Double.MAX_VALUE;
        double most = -Double.MAX_VALUE;
        for (Line line : lines) {
            double[] sorted = line.values().clone();
            Arrays.sort(sorted);
            int rare = line.role() == Role.RAW ? (int) (RARE * sorted.length) : 0;
            least = Math.min(least, sorted[rare]);
            most = Math.max(most, sorted[sorted.length - 1 - rare]);
        }
        least = fromZero ? Math.min(0, least) : least;
        double margin = most > least ? MARGIN * (most - least) : Math.max(MARGIN * Math.abs(most), 1e-9);
        return new Plot(quantity, pattern, Math.max(1, run.steps()), least - margin, most + margin, lines);
    }
}
