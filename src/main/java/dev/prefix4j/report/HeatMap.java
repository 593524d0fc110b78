package dev.prefix4j.report;

import java.util.Locale;

/** Shares as a table of coloured cells: one HTML file that loads nothing. */
public final class HeatMap {
    private static final String STYLE = """
            table { border-collapse: separate; border-spacing: 3px; padding: 1rem }
            td { width: 3.2rem; height: 2.1rem; text-align: center; border-radius: 4px; font-size: 13px }
            th { font-size: 13px; padding: 0 .4rem }
            """;

    private HeatMap() {}

    /**
     * A page.
     *
     * @param rows what a row is, such as {@code layer}; counted from 0, as the columns
     * @param shares from 0 to 1, row by row, all of a length
     */
    public static String page(String title, String remark, String rows, String columns, double[][] shares) {
        StringBuilder html = new StringBuilder("<p>").append(Html.escape(remark)).append("</p>\n<table>\n<tr><th>");
        html.append(Html.escape(rows)).append(" \\ ").append(Html.escape(columns)).append("</th>");
        for (int column = 0; column < (shares.length == 0 ? 0 : shares[0].length); column++) {
            html.append("<th>").append(column).append("</th>");
        }
        html.append("</tr>\n");
        for (int row = 0; row < shares.length; row++) {
            html.append("<tr><th>").append(row).append("</th>");
            for (double share : shares[row]) {
                double shade = Math.clamp(share, 0, 1);
                html.append(String.format(
                        Locale.ROOT,
                        "<td style=\"background: rgba(37, 99, 235, %.3f); color: %s\">%.2f</td>",
                        shade, shade > 0.55 ? "#fff" : "#1f2328", share));
            }
            html.append("</tr>\n");
        }
        return Html.document(title, STYLE, html.append("</table>\n").toString());
    }
}
