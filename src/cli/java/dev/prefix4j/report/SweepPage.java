package dev.prefix4j.report;

import dev.prefix4j.ProcessSettings;
import dev.prefix4j.report.Charts.CannotDrawException;
import dev.prefix4j.report.Charts.Format;
import dev.prefix4j.report.Charts.Palette;
import dev.prefix4j.train.Sample;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Base64;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/** The results of a sweep as a plot for each score, and as one self-contained HTML file in the style of a run's page. */
public final class SweepPage {
    /** More loss curves could not be told apart; the page says if there are more. */
    static final int MAX_CURVES = 48;

    /** Sources whose outputs are shown. */
    private static final int MAX_SOURCES = 3;

    private static final String VALIDATION_LOSS = "valid loss";
    private static final String DEVIATION = " ± ";

    static {
        ProcessSettings.setDefault(
                "java.awt.headless", "true"); // read when AWT loads: with the first chart, before Charts is
    }

    private final StringBuilder html = new StringBuilder();
    private final Sweep sweep;
    private final List<String> variants;

    private SweepPage(Sweep sweep) {
        this.sweep = sweep;
        this.variants = List.copyOf(sweep.variants().keySet());
    }

    /**
     * The results of a sweep.
     *
     * @param remark the author's remark
     * @param note how many runs are finished, and what all runs share
     * @param variants their options by name, in order
     * @param table rows of cells, header first; the first cell is a variant; values as {@code 1.5} or {@code 1.5 ± 0.1}
     * @param textColumns number of text columns before the values
     * @param claims a second table, or empty
     * @param runs finished runs
     */
    public record Sweep(
            String name,
            String remark,
            String note,
            Map<String, String> variants,
            List<List<String>> table,
            int textColumns,
            List<List<String>> claims,
            List<Run> runs) {}

    /**
     * A finished run.
     *
     * @param point its point in the grid, such as {@code prefix-length 5, seed 1}; empty if there is no grid
     * @param links to its files by label, relative to the page
     * @param trained its training record; empty if nothing was trained
     */
    public record Run(String variant, String point, Map<String, String> links, Optional<Trained> trained) {}

    /** The shown part of a training record: the smoothed loss by step, in nats per token, and some of the last samples. */
    public record Trained(double[] steps, double[] losses, List<Sample> samples) {
        /**
         * Reads the folder of a run.
         *
         * @return empty if it has no steps
         * @throws dev.prefix4j.InputException if it is not a run, or a line is corrupt
         */
        public static Optional<Trained> read(Path folder) {
            RunRecord run = RunRecord.open(folder);
            if (run.loss.isEmpty()) {
                return Optional.empty();
            }
            List<Sample> last = run.samples().isEmpty()
                    ? List.of()
                    : run.samples().getLast().samples();
            return Optional.of(new Trained(
                    run.loss.steps(),
                    run.loss.smoothed(),
                    last.stream().limit(MAX_SOURCES).toList()));
        }
    }

    /**
     * Means of a score.
     *
     * @param axis the quantity on the x axis; null: there is one tick, and each line is a bar
     * @param lines by name, a value for each tick; NaN: none
     * @param deviations of each value: half the height of its error bar
     * @param variants index of each line's variant, from 0
     */
    public record Score(
            String key,
            boolean higherIsBetter,
            @Nullable String axis,
            List<String> ticks,
            Map<String, List<Double>> lines,
            Map<String, List<Double>> deviations,
            Map<String, Integer> variants) {
        private String title() {
            return key + (higherIsBetter ? " ↑" : " ↓");
        }

        private boolean isEmpty() {
            return lines.values().stream().flatMap(List::stream).allMatch(value -> value.isNaN());
        }
    }

    /**
     * A plot of a score, titled with its name.
     *
     * @return a PNG; empty if there are no values, or this machine cannot draw
     */
    public static byte[] plot(Score score) {
        try {
            return score.isEmpty()
                    ? new byte[0]
                    : Charts.png(SweepCharts.score(score, score.title(), Format.LARGE, Palette.LIGHT), Format.LARGE);
        } catch (CannotDrawException e) {
            return new byte[0];
        }
    }

    /** The page. */
    public static String page(Sweep sweep, List<Score> scores) {
        SweepPage page = new SweepPage(sweep);
        page.head();
        page.variants();
        page.table(scores);
        page.claims();
        page.charts(scores);
        page.samples();
        page.runs();
        return Html.document(sweep.name(), page.html.toString());
    }

    private SweepPage markup(String ours) {
        html.append(ours);
        return this;
    }

    private SweepPage text(String anybodys) {
        html.append(Html.escape(anybodys));
        return this;
    }

    private void head() {
        markup("<header>\n<h1>").text(sweep.name()).markup("</h1>\n");
        if (!sweep.remark().isBlank()) {
            markup("<p class=\"lines\">").text(sweep.remark().strip()).markup("</p>\n");
        }
        markup("<p>").text(sweep.note()).markup("</p>\n</header>\n");
    }

    /** A variant's name with its colour in the charts. */
    private void variant(String name) {
        int index = Math.max(0, variants.indexOf(name));
        markup("<span class=\"swatch s%d\"></span>".formatted(index % Palette.SERIES))
                .text(name);
    }

    private void variants() {
        markup("<h2>Variants</h2>\n<div class=\"table\"><table>\n");
        sweep.variants().forEach((name, options) -> {
            markup("<tr><th>");
            variant(name);
            markup("</th><td>")
                    .text(options.isEmpty() ? "shared options only" : options)
                    .markup("</td></tr>\n");
        });
        markup("</table></div>\n");
    }

    private Optional<Boolean> higherIsBetter(String column, List<Score> scores) {
        return column.equals(VALIDATION_LOSS)
                ? Optional.of(false)
                : scores.stream()
                        .filter(score -> score.key().equals(column))
                        .map(Score::higherIsBetter)
                        .findFirst();
    }

    /** Means and deviations have separate cells, so that decimal points line up; the best mean is bold. */
    private void table(List<Score> scores) {
        List<String> head = sweep.table().getFirst();
        List<List<String>> rows = sweep.table().subList(1, sweep.table().size());
        markup("<h2>Results</h2>\n<div class=\"table results\"><table>\n<tr>");
        boolean[] deviates = new boolean[head.size()];
        double[] best = new double[head.size()];
        for (int i = 0; i < head.size(); i++) {
            int column = i;
            deviates[i] = rows.stream().anyMatch(row -> row.get(column).contains(DEVIATION));
            Optional<Boolean> higher = higherIsBetter(head.get(i), scores);
            best[i] = higher.isEmpty() ? Double.NaN : best(rows, i, higher.get());
            markup(
                    i < sweep.textColumns()
                            ? "<th>"
                            : "<th class=\"number\"%s>".formatted(deviates[i] ? " colspan=\"2\"" : ""));
            text(head.get(i) + higher.map(h -> h ? " ↑" : " ↓").orElse("")).markup("</th>");
        }
        markup("</tr>\n");
        for (List<String> row : rows) {
            markup("<tr><th>");
            variant(row.getFirst());
            markup("</th>");
            for (int i = 1; i < row.size(); i++) {
                if (i < sweep.textColumns()) {
                    markup("<td>").text(row.get(i)).markup("</td>");
                    continue;
                }
                String[] parts = row.get(i).split(DEVIATION, 2);
                boolean isBest = !parts[0].isEmpty() && Double.parseDouble(parts[0]) == best[i];
                markup("<td class=\"number%s\">".formatted(isBest ? " best" : ""))
                        .text(parts[0])
                        .markup("</td>");
                if (deviates[i]) {
                    markup("<td class=\"deviation\">")
                            .text(parts.length == 2 ? "± " + parts[1] : "")
                            .markup("</td>");
                }
            }
            markup("</tr>\n");
        }
        markup("</table></div>\n<p class=\"note\">↑ higher is better, ↓ lower is better; the best mean is bold.</p>\n");
    }

    private static double best(List<List<String>> rows, int column, boolean higher) {
        double[] means = rows.stream()
                .map(row -> row.get(column).split(DEVIATION, 2)[0])
                .filter(mean -> !mean.isEmpty())
                .mapToDouble(Double::parseDouble)
                .sorted()
                .toArray();
        return means.length < 2
                ? Double.NaN
                : means[higher ? means.length - 1 : 0]; // a single one is not marked as best
    }

    private void claims() {
        if (sweep.claims().isEmpty()) {
            return;
        }
        markup("<h2>Claims</h2>\n<div class=\"table results\"><table>\n");
        for (int i = 0; i < sweep.claims().size(); i++) {
            markup("<tr>");
            for (String cell : sweep.claims().get(i)) {
                markup(i == 0 ? "<th>" : "<td>").text(cell).markup(i == 0 ? "</th>" : "</td>");
            }
            markup("</tr>\n");
        }
        markup("</table></div>\n");
    }

    private void charts(List<Score> scores) {
        markup("<section class=\"charts sweep\">\n");
        try {
            losses();
            for (Score score : scores) {
                if (!score.isEmpty()) {
                    figure(score.title(), (format, palette) -> SweepCharts.score(score, "", format, palette));
                }
            }
            markup("</section>\n");
        } catch (CannotDrawException e) {
            markup("</section>\n<p class=\"warning\">")
                    .text(String.valueOf(e.getMessage()))
                    .markup("</p>\n");
        }
    }

    /** Makes a chart. */
    @FunctionalInterface
    private interface Drawing {
        org.knowm.xchart.internal.chartpart.Chart<?, ?> of(Format format, Palette palette);
    }

    private void figure(String title, Drawing drawing) throws CannotDrawException {
        markup("<figure class=\"wide\"><h3>").text(title).markup("</h3>\n<div class=\"plot\"><picture>\n");
        source("(max-width: 640px) and (prefers-color-scheme: dark)", drawing, Format.PHONE, Palette.DARK);
        source("(max-width: 640px)", drawing, Format.PHONE, Palette.LIGHT);
        source("(prefers-color-scheme: dark)", drawing, Format.LARGE, Palette.DARK);
        markup("<img src=\"").markup(picture(drawing, Format.LARGE, Palette.LIGHT));
        markup("\" width=\"%d\" height=\"%d\" alt=\"".formatted(Format.LARGE.width, Format.LARGE.height))
                .text(title);
        markup("\">\n</picture></div>\n</figure>\n");
    }

    private void source(String media, Drawing drawing, Format format, Palette palette) throws CannotDrawException {
        markup("<source media=\"")
                .markup(media)
                .markup("\" srcset=\"")
                .markup(picture(drawing, format, palette))
                .markup("\">\n");
    }

    private static String picture(Drawing drawing, Format format, Palette palette) throws CannotDrawException {
        return "data:image/png;base64,"
                + Base64.getEncoder().encodeToString(Charts.png(drawing.of(format, palette), format));
    }

    private void losses() throws CannotDrawException {
        List<Run> all =
                sweep.runs().stream().filter(run -> run.trained().isPresent()).toList();
        if (all.isEmpty()) {
            return;
        }
        List<Run> shown = all.stream().limit(MAX_CURVES).toList();
        String title = "Training loss, smoothed"
                + (shown.size() < all.size() ? " (the first %d of %d runs)".formatted(shown.size(), all.size()) : "");
        figure(title, (format, palette) -> SweepCharts.losses(shown, variants, format, palette));
    }

    /** What the first run of each variant generated for the same sources. */
    private void samples() {
        Map<String, Run> first = new LinkedHashMap<>();
        sweep.runs().stream()
                .filter(run -> run.trained().isPresent())
                .forEach(run -> first.putIfAbsent(run.variant(), run));
        Map<String, List<Run>> bySource = new LinkedHashMap<>();
        first.values()
                .forEach(run -> run.trained().orElseThrow().samples().forEach(sample -> {
                    List<Run> runs = bySource.computeIfAbsent(sample.source(), _ -> new ArrayList<>());
                    if (!runs.contains(run)) {
                        runs.add(run);
                    }
                }));
        if (bySource.isEmpty()) {
            return;
        }
        markup("<h2>Samples</h2>\n<p class=\"note\">")
                .text("What the first run of each variant generated for some sources at its end (greedy decoding).")
                .markup("</p>\n");
        bySource.entrySet().stream().limit(MAX_SOURCES).forEach(entry -> sample(entry.getKey(), entry.getValue()));
    }

    private void sample(String source, List<Run> runs) {
        markup("<section class=\"sample sweep\">\n<dl><dt>Source</dt><dd dir=\"auto\">")
                .text(source)
                .markup("</dd>");
        of(runs.getFirst(), source)
                .reference()
                .ifPresent(reference -> markup("<dt>Reference</dt><dd dir=\"auto\">")
                        .text(reference)
                        .markup("</dd>"));
        markup("</dl>\n<table>\n<thead><tr><th>Variant</th><th>Output</th></tr></thead>\n<tbody>\n");
        for (Run run : runs) {
            markup("<tr><th>");
            variant(run.variant());
            markup("</th><td dir=\"auto\">").text(of(run, source).output()).markup("</td></tr>\n");
        }
        markup("</tbody>\n</table>\n</section>\n");
    }

    private static Sample of(Run run, String source) {
        return run.trained().orElseThrow().samples().stream()
                .filter(sample -> sample.source().equals(source))
                .findFirst()
                .orElseThrow();
    }

    private void runs() {
        if (sweep.runs().isEmpty()) {
            return;
        }
        markup("<h2>Runs</h2>\n<div class=\"table\"><table>\n");
        for (Run run : sweep.runs()) {
            markup("<tr><th>");
            variant(run.variant());
            text(run.point().isEmpty() ? "" : ", " + run.point()).markup("</th><td>");
            String between = "";
            for (Map.Entry<String, String> link : run.links().entrySet()) {
                markup(between)
                        .markup("<a href=\"")
                        .text(link.getValue())
                        .markup("\">")
                        .text(link.getKey())
                        .markup("</a>");
                between = " · ";
            }
            markup("</td></tr>\n");
        }
        markup("</table></div>\n");
    }
}
