package dev.prefix4j.cli;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.prefix4j.eval.Metric;
import dev.prefix4j.eval.Resampling;
import dev.prefix4j.eval.Resampling.Interval;
import dev.prefix4j.eval.Scorer;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/**
 * What {@code evaluate} shows of a metric.
 *
 * @param interval null if it was not asked for
 * @param against null if there are no other outputs
 */
record MetricResult(Metric metric, double score, Interval interval, Against against) {
    /**
     * The same of other outputs, and how likely two outputs of one quality differ as much.
     *
     * @param interval null if it was not asked for
     * @param bootstrap p-value of the paired bootstrap
     * @param randomization p-value of the paired randomization test
     */
    record Against(double score, Interval interval, double bootstrap, double randomization) {}

    /**
     * Scores outputs.
     *
     * @param others null if there are none
     * @param intervals whether they are wanted
     */
    static MetricResult of(
            Metric metric, Scorer scorer, List<String> outputs, List<String> others, boolean intervals, long seed) {
        Resampling resampling = Resampling.of(seed);
        double[][] rows = scorer.statistics(outputs);
        double score = scorer.corpus(rows);
        double[] resamples = intervals || others != null ? resampling.bootstrap(scorer, rows) : null;
        Against against = null;
        if (others != null) {
            double[][] otherRows = scorer.statistics(others);
            double otherScore = scorer.corpus(otherRows);
            double[] otherResamples = resampling.bootstrap(scorer, otherRows);
            against = new Against(
                    otherScore,
                    intervals ? Resampling.interval(otherResamples) : null,
                    Resampling.pairedBootstrap(score - otherScore, resamples, otherResamples),
                    resampling.randomization(scorer, rows, otherRows));
        }
        return new MetricResult(metric, score, intervals ? Resampling.interval(resamples) : null, against);
    }

    void write(ObjectNode node) {
        node.put("label", metric.label())
                .put("higher_is_better", metric.higherIsBetter())
                .put("score", score);
        write(node, interval);
        if (against != null) {
            ObjectNode other = node.putObject("against").put("score", against.score());
            write(other, against.interval());
            node.put("p_bootstrap", against.bootstrap()).put("p_randomization", against.randomization());
        }
    }

    private static void write(ObjectNode node, Interval interval) {
        if (interval != null) {
            node.put("low", interval.low()).put("high", interval.high());
        }
    }

    /** A line for each metric, in columns. */
    static List<String> table(List<MetricResult> results) {
        List<List<String>> cells = new ArrayList<>();
        boolean compared = results.getFirst().against() != null;
        if (compared || results.getFirst().interval() != null) {
            cells.add(new ArrayList<>(List.of("", "score")));
            addHeads(cells.getFirst(), results.getFirst());
        }
        for (MetricResult result : results) {
            List<String> row = new ArrayList<>(List.of(result.metric().label(), number(result.score())));
            add(row, result.interval());
            if (compared) {
                row.add(number(result.against().score()));
                add(row, result.against().interval());
                row.add(number(result.against().bootstrap()));
                row.add(number(result.against().randomization()));
            }
            cells.add(row);
        }
        return aligned(cells);
    }

    private static void addHeads(List<String> heads, MetricResult result) {
        if (result.interval() != null) {
            heads.add("95 % interval");
        }
        if (result.against() != null) {
            heads.add("against");
            if (result.interval() != null) {
                heads.add("95 % interval");
            }
            heads.add("p, bootstrap");
            heads.add("p, randomized");
        }
    }

    private static void add(List<String> row, Interval interval) {
        if (interval != null) {
            row.add(number(interval.low()) + " - " + number(interval.high()));
        }
    }

    private static String number(double value) {
        return String.format(Locale.ROOT, "%.4f", value);
    }

    /** The first column to the left, the others to the right. */
    private static List<String> aligned(List<List<String>> cells) {
        int[] widths = new int[cells.getFirst().size()];
        for (List<String> row : cells) {
            for (int c = 0; c < widths.length; c++) {
                widths[c] = Math.max(widths[c], row.get(c).length());
            }
        }
        List<String> lines = new ArrayList<>();
        for (List<String> row : cells) {
            StringBuilder line = new StringBuilder();
            for (int c = 0; c < widths.length; c++) {
                String padding = " ".repeat(widths[c] - row.get(c).length());
                line.append(c == 0 ? row.get(c) + padding : "  " + padding + row.get(c));
            }
            lines.add(line.toString());
        }
        return lines;
    }
}
