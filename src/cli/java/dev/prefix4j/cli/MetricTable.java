package dev.prefix4j.cli;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.prefix4j.eval.Metric;
import dev.prefix4j.eval.Resampling.Interval;
import dev.prefix4j.task.Evaluation;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;

/** The metrics as {@code evaluate} shows them. */
final class MetricTable {
    private MetricTable() {}

    /** Writes a result as an object. */
    static void write(Evaluation.Result result, ObjectNode node) {
        Metric metric = result.metric();
        node.put("label", metric.label())
                .put("higher_is_better", metric.higherIsBetter())
                .put("score", result.score());
        write(node, result.interval());
        result.against().ifPresent(against -> {
            ObjectNode other = node.putObject("against").put("score", against.score());
            write(other, against.interval());
            node.put("p_bootstrap", against.bootstrap()).put("p_randomization", against.randomization());
        });
    }

    private static void write(ObjectNode node, Optional<Interval> interval) {
        interval.ifPresent(both -> node.put("low", both.low()).put("high", both.high()));
    }

    /** A line for each metric, in columns. */
    static List<String> lines(List<Evaluation.Result> results) {
        List<List<String>> cells = new ArrayList<>();
        boolean compared = results.getFirst().against().isPresent();
        if (compared || results.getFirst().interval().isPresent()) {
            cells.add(new ArrayList<>(List.of("", "score")));
            addHeads(cells.getFirst(), results.getFirst());
        }
        for (Evaluation.Result result : results) {
            List<String> row = new ArrayList<>(List.of(result.metric().label(), number(result.score())));
            add(row, result.interval());
            result.against().ifPresent(against -> {
                row.add(number(against.score()));
                add(row, against.interval());
                row.add(number(against.bootstrap()));
                row.add(number(against.randomization()));
            });
            cells.add(row);
        }
        return aligned(cells);
    }

    private static void addHeads(List<String> heads, Evaluation.Result result) {
        if (result.interval().isPresent()) {
            heads.add("95 % interval");
        }
        if (result.against().isPresent()) {
            heads.add("against");
            if (result.interval().isPresent()) {
                heads.add("95 % interval");
            }
            heads.add("p, bootstrap");
            heads.add("p, randomized");
        }
    }

    private static void add(List<String> row, Optional<Interval> interval) {
        interval.ifPresent(both -> row.add(number(both.low()) + " - " + number(both.high())));
    }

    private static String number(double value) {
        return String.format(Locale.ROOT, "%.4f", value);
    }

    /** Aligns the first column left, the others right. */
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
