package dev.prefix4j.report;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import org.knowm.xchart.BitmapEncoder;
import org.knowm.xchart.CategoryChart;
import org.knowm.xchart.CategoryChartBuilder;
import org.knowm.xchart.CategorySeries;
import org.knowm.xchart.style.Styler;

/** The results of a sweep as a picture for each metric, and as one HTML file that loads nothing. */
public final class SweepPage {
    private static final int WIDTH = 900;
    private static final int HEIGHT = 420;

    private static final String STYLE = """
            table { border-collapse: collapse }
            th, td { padding: .35rem .8rem; text-align: left; border-bottom: 1px solid #e3e6ea; font-variant-numeric: tabular-nums }
            td, th { white-space: nowrap }
            .wide { overflow-x: auto }
            img { max-width: 100%; margin-top: 1rem; border-radius: 8px }
            p { white-space: pre-line }
            """;

    static {
        System.setProperty("java.awt.headless", "true"); // read when AWT loads
    }

    private SweepPage() {}

    /**
     * A plot of means.
     *
     * @param axis what the ticks are; null: there is one, and each line is a bar
     * @param lines by name, a number for each tick; NaN: none
     * @param deviations of each number: half the height of its error bar
     * @return a PNG; empty if there is no number
     */
    public static byte[] plot(
            String metric, String axis, List<String> ticks, Map<String, List<Double>> lines, Map<String, List<Double>> deviations) {
        CategoryChart chart = new CategoryChartBuilder()
                .width(WIDTH)
                .height(HEIGHT)
                .title(metric)
                .xAxisTitle(axis == null ? "" : axis)
                .yAxisTitle(metric)
                .build();
        chart.getStyler().setDefaultSeriesRenderStyle(
                axis == null ? CategorySeries.CategorySeriesRenderStyle.Bar : CategorySeries.CategorySeriesRenderStyle.Line);
        chart.getStyler().setLegendPosition(Styler.LegendPosition.OutsideE);
        chart.getStyler().setChartBackgroundColor(java.awt.Color.WHITE);
        chart.getStyler().setPlotBorderVisible(false);
        chart.getStyler().setAvailableSpaceFill(0.6);
        chart.getStyler().setOverlapped(axis != null);
        if (axis == null) {
            List<String> names = lines.keySet().stream().filter(name -> !lines.get(name).getFirst().isNaN()).toList();
            if (!names.isEmpty()) {
                chart.addSeries(
                        metric,
                        names,
                        names.stream().map(name -> lines.get(name).getFirst()).toList(),
                        names.stream().map(name -> deviations.get(name).getFirst()).toList());
            }
            chart.getStyler().setLegendVisible(false);
            chart.getStyler().setXAxisLabelRotation(30);
        } else {
            lines.forEach((name, values) -> {
                boolean complete = values.stream().noneMatch(value -> value.isNaN());
                if (complete) {
                    chart.addSeries(name, ticks, values, deviations.get(name));
                } else if (values.stream().anyMatch(value -> !value.isNaN())) { // XChart fails on error bars with gaps
                    chart.addSeries(name, ticks, values.stream().map(value -> value.isNaN() ? null : value).toList());
                }
            });
        }
        if (chart.getSeriesMap().isEmpty()) {
            return new byte[0];
        }
        try (ByteArrayOutputStream png = new ByteArrayOutputStream()) {
            BitmapEncoder.saveBitmap(chart, png, BitmapEncoder.BitmapFormat.PNG);
            return png.toByteArray();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /**
     * The page.
     *
     * @param table rows of cells, the head first
     * @param claims a second table, or none
     * @param plots PNGs by metric
     */
    public static String page(String title, String remark, List<List<String>> table, String note, List<List<String>> claims, Map<String, byte[]> plots) {
        StringBuilder html = new StringBuilder();
        html.append("<p>").append(Html.escape(remark)).append("</p>\n");
        append(html, table);
        html.append("<p>").append(Html.escape(note)).append("</p>\n");
        if (!claims.isEmpty()) {
            append(html, claims);
        }
        plots.forEach((metric, png) -> html.append("<img alt=\"").append(Html.escape(metric)).append("\" src=\"data:image/png;base64,")
                .append(Base64.getEncoder().encodeToString(png)).append("\">\n"));
        return Html.document(title, STYLE, html.toString());
    }

    private static void append(StringBuilder html, List<List<String>> table) {
        html.append("<div class=\"wide\"><table>\n");
        for (int i = 0; i < table.size(); i++) {
            html.append("<tr>");
            for (String cell : table.get(i)) {
                html.append(i == 0 ? "<th>" : "<td>").append(Html.escape(cell)).append(i == 0 ? "</th>" : "</td>");
            }
            html.append("</tr>\n");
        }
        html.append("</table></div>\n");
    }
}
