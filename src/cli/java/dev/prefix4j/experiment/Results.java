package dev.prefix4j.experiment;

import com.fasterxml.jackson.databind.JsonNode;
import dev.prefix4j.Named;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * The results of a plan's runs as tables: a row for each variant and point of the grid, averaged over seeds.
 *
 * @param plan the plan of these runs
 * @param results of each finished run, by its folder
 */
public record Results(Plan plan, Map<String, JsonNode> results) {
    /** Runs that differ only in their seed. */
    private record Row(String variant, Map<String, String> point, int seeds, Map<String, JsonNode> bySeed) {
        Collection<JsonNode> runs() {
            return bySeed.values();
        }

        /** Whether all seeds have the score. */
        boolean isComplete(String score) {
            return scores(score).size() == seeds;
        }

        /** Values of the finished runs, by seed. */
        Map<String, Double> scores(String score) {
            Map<String, Double> scores = new LinkedHashMap<>();
            bySeed.forEach((seed, run) -> {
                JsonNode value = run.path("scores").path(score);
                if (value.isNumber()) {
                    scores.put(seed, value.doubleValue());
                }
            });
            return scores;
        }

        /** Mean and standard deviation of a value over the runs; empty if none has it. */
        String cell(String field, int decimals) {
            double[] values = runs().stream()
                    .map(run -> run.at("/" + field.replace('.', '/')))
                    .filter(JsonNode::isNumber)
                    .mapToDouble(JsonNode::doubleValue)
                    .toArray();
            if (values.length == 0) {
                return "";
            }
            String format = "%." + decimals + "f";
            String text = String.format(
                    Locale.ROOT, format, Arrays.stream(values).average().orElseThrow());
            return values.length == 1 ? text : text + " ± " + String.format(Locale.ROOT, format, deviation(values));
        }
    }

    private List<Row> rows() {
        Map<String, Row> rows = new LinkedHashMap<>();
        int seeds = plan.grid().getOrDefault(Plan.SEED, List.of("")).size();
        for (Plan.Run run : plan.runs()) {
            Map<String, String> point = new LinkedHashMap<>(run.point());
            point.remove(Plan.SEED);
            Row row = rows.computeIfAbsent(
                    run.variant() + point, _ -> new Row(run.variant(), point, seeds, new LinkedHashMap<>()));
            if (results.containsKey(run.folder())) {
                row.bySeed().put(run.point().getOrDefault(Plan.SEED, ""), results.get(run.folder()));
            }
        }
        return List.copyOf(rows.values());
    }

    private List<String> axes() {
        return plan.grid().keySet().stream()
                .filter(key -> !key.equals(Plan.SEED))
                .toList();
    }

    /** Rows of cells, header first: means, with ± standard deviation if there are several seeds. */
    public List<List<String>> table() {
        List<List<String>> table = new ArrayList<>();
        List<String> head = new ArrayList<>(List.of("variant"));
        head.addAll(axes());
        head.addAll(List.of("runs", "train s", "valid loss"));
        head.addAll(plan.scores());
        table.add(head);
        for (Row row : rows()) {
            List<String> cells = new ArrayList<>(List.of(row.variant()));
            axes().forEach(axis -> cells.add(row.point().get(axis)));
            cells.add(Integer.toString(row.runs().size()));
            cells.add(row.cell("train_seconds", 0));
            cells.add(row.cell("train.valid_loss", 4));
            plan.scores().forEach(metric -> cells.add(row.cell("scores." + metric, decimals(metric))));
            table.add(cells);
        }
        return table;
    }

    /** Decimals of a whole column: as many as give its largest value four digits. */
    private int decimals(String score) {
        double largest = results.values().stream()
                .mapToDouble(run -> Math.abs(run.path("scores").path(score).asDouble()))
                .max()
                .orElse(0);
        return largest >= 100 ? 1 : largest >= 10 ? 2 : largest >= 1 ? 3 : 4;
    }

    /** The options specific to each variant, by its name. */
    public Map<String, String> variants() {
        Map<String, String> variants = new LinkedHashMap<>();
        for (Map<String, String> variant : plan.variants()) {
            Map<String, String> options = new LinkedHashMap<>(variant);
            options.remove("name");
            variants.put(variant.get("name"), options.isEmpty() ? "" : listed(options));
        }
        return variants;
    }

    /** The plan's claims and whether they are seen, header first; empty without claims. */
    public List<List<String>> claims() {
        if (plan.claims().isEmpty()) {
            return List.of();
        }
        List<List<String>> table = new ArrayList<>();
        table.add(List.of("expected", "where", "seen", "means", "seeds"));
        for (Claim claim : plan.claims()) {
            if (claim.relation() == Claim.Relation.STEADIER) {
                table.add(steadier(claim));
                continue;
            }
            for (Row left : rows().stream()
                    .filter(row -> row.variant().equals(claim.left()))
                    .toList()) {
                Row right = rows().stream()
                        .filter(row -> row.variant().equals(claim.right())
                                && row.point().equals(left.point()))
                        .findFirst()
                        .orElseThrow();
                table.add(compared(claim, left, right));
            }
        }
        return table;
    }

    private static List<String> compared(Claim claim, Row left, Row right) {
        String where = left.point().entrySet().stream()
                .map(entry -> entry.getKey() + " " + entry.getValue())
                .collect(Collectors.joining(", "));
        Map<String, Double> ours = left.scores(claim.score());
        Map<String, Double> theirs = right.scores(claim.score());
        if (!left.isComplete(claim.score()) || !right.isComplete(claim.score())) {
            return List.of(claim.text(), where, "open", "", "");
        }
        double first = mean(ours.values());
        double second = mean(theirs.values());
        long agree = ours.keySet().stream()
                .filter(seed -> claim.relation().holds(Named.get(ours, seed), Named.get(theirs, seed)))
                .count();
        return List.of(
                claim.text(),
                where,
                claim.relation().holds(first, second) ? "seen" : "not seen",
                String.format(Locale.ROOT, "%.4g and %.4g", first, second),
                "in %d of %d".formatted(agree, left.seeds()));
    }

    private List<String> steadier(Claim claim) {
        double first = range(claim.score(), claim.left());
        double second = range(claim.score(), claim.right());
        boolean known = !Double.isNaN(first) && !Double.isNaN(second);
        return List.of(
                claim.text(),
                axes().isEmpty() ? "" : "over " + String.join(", ", axes()),
                !known ? "open" : claim.relation().holds(first, second) ? "seen" : "not seen",
                known ? String.format(Locale.ROOT, "range %.4g and %.4g", first, second) : "",
                "");
    }

    /** The range of a variant's means; NaN while one is missing. */
    private double range(String score, String variant) {
        double[] means = rows().stream()
                .filter(row -> row.variant().equals(variant))
                .mapToDouble(
                        row -> row.isComplete(score) ? mean(row.scores(score).values()) : Double.NaN)
                .toArray();
        return Arrays.stream(means).max().orElse(Double.NaN)
                - Arrays.stream(means).min().orElse(Double.NaN);
    }

    private static double mean(Collection<Double> values) {
        return values.stream().mapToDouble(Double::doubleValue).average().orElse(Double.NaN);
    }

    /** Sample standard deviation; 0 for fewer than two values. */
    private static double deviation(double[] values) {
        double mean = Arrays.stream(values).average().orElse(0);
        double square = Arrays.stream(values).map(v -> (v - mean) * (v - mean)).sum();
        return values.length < 2 ? 0 : Math.sqrt(square / (values.length - 1));
    }

    /** How many runs are finished, and what all runs share. */
    public String remark() {
        return "%d of %d runs.%s Trained with %s; outputs%s with %s."
                .formatted(
                        results.size(),
                        plan.runs().size(),
                        plan.grid().containsKey(Plan.SEED) ? " Means ± standard deviations over seeds." : "",
                        listed(plan.train()),
                        plan.tests().values().stream()
                                .map(test -> " for " + test)
                                .collect(Collectors.joining(" and")),
                        listed(plan.generate()));
    }

    private static String listed(Map<String, String> options) {
        return options.isEmpty()
                ? "the defaults"
                : options.entrySet().stream()
                        .map(e -> e.getKey() + " " + e.getValue())
                        .collect(Collectors.joining(", "));
    }

    /** The table in Markdown. */
    public String markdown() {
        StringBuilder text = new StringBuilder("# " + inMarkdown(plan.name()) + "\n\n");
        if (!plan.remark().isBlank()) {
            text.append(plan.remark().strip()).append("\n\n");
        }
        append(text, table());
        text.append('\n').append(inMarkdown(remark())).append('\n');
        if (!claims().isEmpty()) {
            append(text.append('\n'), claims());
        }
        return text.toString();
    }

    /** On one line, with markup characters escaped. */
    private static String inMarkdown(String text) {
        return text.replaceAll("\\s+", " ").replaceAll("[\\\\|<&*_`\\[]", "\\\\$0");
    }

    private static void append(StringBuilder text, List<List<String>> table) {
        for (int i = 0; i < table.size(); i++) {
            String cells = table.get(i).stream().map(Results::inMarkdown).collect(Collectors.joining(" | "));
            text.append("| ").append(cells).append(" |\n");
            if (i == 0) {
                text.append('|').append("---|".repeat(table.getFirst().size())).append('\n');
            }
        }
    }

    /**
     * The plot of a metric: for each variant (and each value of the axes except the first), the means along the first axis.
     *
     * @param axis its name; null: the plan has no axis but seeds
     * @param ticks its values
     * @param lines by name; NaN where no run is finished
     * @param deviations of the lines, over seeds; 0 with a single seed
     * @param variants index of each line's variant in the plan, from 0
     */
    public record Curves(
            @Nullable String axis,
            List<String> ticks,
            Map<String, List<Double>> lines,
            Map<String, List<Double>> deviations,
            Map<String, Integer> variants) {}

    /** @param metric one of the plan's scores */
    public Curves curves(String metric) {
        String axis = axes().isEmpty() ? null : axes().getFirst();
        List<String> ticks = axis == null ? List.of("") : Named.get(plan.grid(), axis);
        Map<String, List<Double>> lines = new LinkedHashMap<>();
        Map<String, List<Double>> deviations = new LinkedHashMap<>();
        Map<String, Integer> variants = new LinkedHashMap<>();
        List<String> names = plan.variants().stream().map(Plan::variantName).toList();
        for (Row row : rows()) {
            StringBuilder name = new StringBuilder(row.variant());
            row.point().forEach((key, value) -> name.append(key.equals(axis) ? "" : ", " + key + " " + value));
            List<Double> line = lines.computeIfAbsent(
                    name.toString(), _ -> new ArrayList<>(java.util.Collections.nCopies(ticks.size(), Double.NaN)));
            variants.put(name.toString(), names.indexOf(row.variant()));
            int tick = axis == null ? 0 : ticks.indexOf(row.point().get(axis));
            line.set(tick, mean(row.scores(metric).values()));
            deviations
                    .computeIfAbsent(
                            name.toString(), _ -> new ArrayList<>(java.util.Collections.nCopies(ticks.size(), 0.0)))
                    .set(
                            tick,
                            deviation(row.scores(metric).values().stream()
                                    .mapToDouble(v -> v)
                                    .toArray()));
        }
        return new Curves(axis, ticks, lines, deviations, variants);
    }

    /** As comma-separated values: one line for each finished run. */
    public String csv() {
        List<String> axes = List.copyOf(plan.grid().keySet());
        StringBuilder text = new StringBuilder("folder,variant");
        axes.forEach(axis -> text.append(',').append(axis));
        text.append(",valid_loss,train_seconds");
        plan.scores().forEach(metric -> text.append(',').append(metric));
        text.append('\n');
        for (Plan.Run run : plan.runs()) {
            JsonNode result = results.get(run.folder());
            if (result == null) {
                continue;
            }
            text.append(run.folder())
                    .append(",\"")
                    .append(run.variant().replace("\"", "\"\""))
                    .append('"');
            axes.forEach(axis -> text.append(",\"")
                    .append(Named.get(run.point(), axis).replace("\"", "\"\""))
                    .append('"'));
            text.append(',').append(number(result.at("/train/valid_loss")));
            text.append(',').append(number(result.path("train_seconds")));
            plan.scores()
                    .forEach(metric ->
                            text.append(',').append(number(result.path("scores").path(metric))));
            text.append('\n');
        }
        return text.toString();
    }

    private static String number(JsonNode value) {
        return value.isNumber() ? value.asText() : "";
    }
}
