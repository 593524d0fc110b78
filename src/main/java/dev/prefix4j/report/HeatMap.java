package dev.prefix4j.report;

import java.util.Locale;

/** Shares as a table of coloured cells: one HTML file that loads nothing. */
public final class HeatMap {
    private HeatMap() {}

    /**
     * A page.
     *
     * @param rows what a row is, such as {@code layer}; counted from 0, as the columns
     * @param shares from 0 to 1, row by row, all of a length
     */
    public static String page(String title, String remark, String rows, String columns, double[][] shares) {
        StringBuilder html = new StringBuilder("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n");
        html.append("<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n");
        html.append("<title>").append(Html.escape(title)).append("</title>\n<style>\n");
        html.append("body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem; color: #1f2328; background: #f4f5f7 }\n");
        html.append("table { border-collapse: separate; border-spacing: 3px; background: #fff; padding: 1rem; border-radius: 8px }\n");
        html.append("td { width: 3.2rem; height: 2.1rem; text-align: center; border-radius: 4px; font-size: 13px }\n");
        html.append("th { font-weight: 500; color: #59636e; font-size: 13px; padding: 0 .4rem }\n</style>\n</head>\n<body>\n");
        html.append("<h1>").append(Html.escape(title)).append("</h1>\n<p>").append(Html.escape(remark)).append("</p>\n<table>\n<tr><th>");
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
        return html.append("</table>\n</body>\n</html>\n").toString();
    }
}
