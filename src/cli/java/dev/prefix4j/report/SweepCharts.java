package dev.prefix4j.report;

import dev.prefix4j.Named;
import dev.prefix4j.report.Charts.Format;
import dev.prefix4j.report.Charts.Palette;
import dev.prefix4j.report.SweepPage.Run;
import dev.prefix4j.report.SweepPage.Score;
import dev.prefix4j.report.SweepPage.Trained;
import java.awt.BasicStroke;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.knowm.xchart.CategoryChart;
import org.knowm.xchart.CategoryChartBuilder;
import org.knowm.xchart.CategorySeries;
import org.knowm.xchart.XYChart;
import org.knowm.xchart.XYChartBuilder;
import org.knowm.xchart.XYSeries;
import org.knowm.xchart.style.AxesChartStyler;
import org.knowm.xchart.style.markers.SeriesMarkers;

/** The charts of a sweep: means of scores, and losses. {@link SweepPage} sets up AWT before it uses them. */
final class SweepCharts {
    /** Dashes that distinguish the lines of one variant, in points. */
    private static final float[][] DASHES = {null, {7, 4}, {2, 4}, {10, 4, 2, 4}};

    /** Margin above and below the values of a chart, as a fraction of their range. */
    private static final double MARGIN = 0.06;

    private SweepCharts() {}

    /** @param variants names of all variants, which determine the colours */
    static XYChart losses(List<Run> shown, List<String> variants, Format format, Palette palette) {
        XYChart chart = new XYChartBuilder()
                .width(format.width)
                .height(format.height)
                .xAxisTitle("step")
                .yAxisTitle("loss (nats per token)")
                .build();
        Charts.style(chart.getStyler(), format, palette);
        chart.getStyler().setChartTitleVisible(false);
        chart.getStyler().setXAxisDecimalPattern("#,##0");
        chart.getStyler().setXAxisMaxLabelCount(format.ticks);
        double last = shown.stream()
                .flatMapToDouble(
                        run -> Arrays.stream(run.trained().orElseThrow().steps()))
                .max()
                .orElse(1);
        chart.getStyler().setXAxisMin(-Charts.MARGIN * last);
        chart.getStyler().setXAxisMax((1 + Charts.MARGIN) * last);
        chart.getStyler().setYAxisDecimalPattern("#,##0.0##");
        Map<String, Integer> ofVariant = new LinkedHashMap<>();
        for (Run run : shown) {
            Trained trained = run.trained().orElseThrow();
            int number = ofVariant.merge(run.variant(), 1, Integer::sum) - 1;
            // the first run of a variant names it in the legend
            XYSeries series = chart.addSeries(
                    number == 0 ? run.variant() : run.variant() + " " + number + " " + run.point(),
                    trained.steps(),
                    trained.losses());
            series.setShowInLegend(number == 0);
            series.setMarker(trained.steps().length == 1 ? SeriesMarkers.CIRCLE : SeriesMarkers.NONE);
            series.setLineColor(palette.series(variants.indexOf(run.variant())));
            series.setMarkerColor(palette.series(variants.indexOf(run.variant())));
            series.setLineStyle(stroke(0));
        }
        chart.getStyler().setLegendVisible(ofVariant.size() > 1);
        return chart;
    }

    /** Means of a score with error bars: lines along an axis, or bars. */
    static CategoryChart score(Score score, String title, Format format, Palette palette) {
        CategoryChart chart = new CategoryChartBuilder()
                .width(format.width)
                .height(format.height)
                .title(title)
                .xAxisTitle(score.axis() == null ? "" : score.axis())
                .yAxisTitle(score.key())
                .build();
        Charts.style(chart.getStyler(), format, palette);
        chart.getStyler().setChartTitleVisible(!title.isEmpty());
        chart.getStyler().setAvailableSpaceFill(0.6);
        chart.getStyler().setOverlapped(true);
        boolean bars = score.axis() == null;
        frame(chart.getStyler(), score, bars);
        chart.getStyler()
                .setDefaultSeriesRenderStyle(
                        bars
                                ? CategorySeries.CategorySeriesRenderStyle.Bar
                                : CategorySeries.CategorySeriesRenderStyle.Line);
        List<String> names = score.lines().keySet().stream()
                .filter(name -> Named.get(score.lines(), name).stream().anyMatch(value -> !value.isNaN()))
                .toList();
        chart.getStyler().setLegendVisible(!bars && names.size() > 1);
        chart.getStyler().setXAxisLabelRotation(bars && format == Format.PHONE ? 35 : 0);
        Map<Integer, Integer> ofVariant = new LinkedHashMap<>();
        for (String name : names) {
            List<Double> values = Named.get(score.lines(), name);
            List<Double> deviations = Named.get(score.deviations(), name);
            CategorySeries series;
            if (bars) { // one series per bar, for its colour
                series = chart.addSeries(name, names, only(names, name, values), only(names, name, deviations));
            } else if (values.stream().noneMatch(value -> value.isNaN())) {
                series = chart.addSeries(name, score.ticks(), values, deviations);
            } else { // XChart cannot draw error bars with gaps
                series = chart.addSeries(
                        name,
                        score.ticks(),
                        values.stream()
                                .map(value -> value.isNaN() ? null : value)
                                .toList());
            }
            int variant = Named.get(score.variants(), name);
            series.setLineColor(palette.series(variant));
            series.setFillColor(palette.series(variant));
            series.setMarkerColor(palette.series(variant));
            series.setMarker(bars ? SeriesMarkers.NONE : SeriesMarkers.CIRCLE);
            series.setLineStyle(stroke(ofVariant.merge(variant, 1, Integer::sum) - 1));
        }
        return chart;
    }

    /** Leaves room for all values and their error bars, even for a single value; bars start at 0. */
    private static void frame(AxesChartStyler styler, Score score, boolean bars) {
        double least = bars ? 0 : Double.MAX_VALUE;
        double most = bars ? 0 : -Double.MAX_VALUE;
        for (Map.Entry<String, List<Double>> line : score.lines().entrySet()) {
            for (int i = 0; i < line.getValue().size(); i++) {
                double value = line.getValue().get(i);
                double deviation = Named.get(score.deviations(), line.getKey()).get(i);
                if (!Double.isNaN(value)) {
                    least = Math.min(least, value - deviation);
                    most = Math.max(most, value + deviation);
                }
            }
        }
        double margin = most > least ? MARGIN * (most - least) : Math.max(MARGIN * Math.abs(most), MARGIN);
        styler.setYAxisMin(bars && least == 0 ? 0 : least - margin);
        styler.setYAxisMax(most + margin);
    }

    private static List<Double> only(List<String> names, String name, List<Double> values) {
        return names.stream()
                .map(other -> other.equals(name) ? values.getFirst() : Double.valueOf(0))
                .toList();
    }

    private static BasicStroke stroke(int number) {
        return new BasicStroke(
                2.2f, BasicStroke.CAP_BUTT, BasicStroke.JOIN_ROUND, 10, DASHES[number % DASHES.length], 0);
    }
}
