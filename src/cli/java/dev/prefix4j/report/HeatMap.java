package dev.prefix4j.report;

import java.util.Locale;

/** Fractions as a table of coloured cells, in one self-contained HTML file. */
public final class HeatMap {
    private static final int[] NONE = {0xee, 0xf3, 0xfe};
    private static final int[] ALL = {0x12, 0x3a, 0x9c};

    /** Text colours on {@link #NONE} and {@link #ALL}; the one with more contrast is used. */
    private static final int[] DARK_TEXT = {0, 0, 0};

    private static final int[] LIGHT_TEXT = {0xff, 0xff, 0xff};

    private HeatMap() {}

    /**
     * A page.
     *
     * @param model name of the model
     * @param rows label of the rows, such as {@code layer}; rows and columns are counted from 0
     * @param shares from 0 to 1, row by row, rows of equal length
     */
    public static String page(
            String title, String model, String remark, String rows, String columns, double[][] shares) {
        StringBuilder html = new StringBuilder();
        html.append("<header>\n<h1>").append(Html.escape(title)).append("</h1>\n");
        html.append("<p>Model <span dir=\"auto\">").append(Html.escape(model)).append("</span></p>\n");
        html.append("<p>").append(Html.escape(remark)).append("</p>\n</header>\n");
        html.append("<div class=\"table heat\">\n<table>\n<tr><th>");
        html.append(Html.escape(rows))
                .append(" \\ ")
                .append(Html.escape(columns))
                .append("</th>");
        for (int column = 0; column < (shares.length == 0 ? 0 : shares[0].length); column++) {
            html.append("<th>").append(column).append("</th>");
        }
        html.append("</tr>\n");
        for (int row = 0; row < shares.length; row++) {
            html.append("<tr><th>").append(row).append("</th>");
            for (double share : shares[row]) {
                html.append(String.format(Locale.ROOT, "<td style=\"%s\">%.2f</td>", style(share), share));
            }
            html.append("</tr>\n");
        }
        html.append("</table>\n</div>\n<p class=\"scale note\">Share of attention: <span>0</span>");
        for (int i = 0; i <= 10; i++) {
            html.append("<i style=\"").append(style(i / 10.0)).append("\"></i>");
        }
        return Html.document(title, html.append("<span>1</span></p>\n").toString());
    }

    /** The colours of a cell, the same in light and dark mode. */
    static String style(double share) {
        int[] background = colour(share);
        int[] text = contrast(background, DARK_TEXT) >= contrast(background, LIGHT_TEXT) ? DARK_TEXT : LIGHT_TEXT;
        return "background:%s;color:%s".formatted(hex(background), hex(text));
    }

    private static int[] colour(double share) {
        double s = Math.clamp(share, 0, 1);
        int[] colour = new int[3];
        for (int i = 0; i < 3; i++) {
            colour[i] = (int) Math.round(NONE[i] + s * (ALL[i] - NONE[i]));
        }
        return colour;
    }

    private static String hex(int[] colour) {
        return "#%02x%02x%02x".formatted(colour[0], colour[1], colour[2]);
    }

    /** The contrast ratio of WCAG 2.2, from 1 to 21. */
    static double contrast(int[] a, int[] b) {
        double first = luminance(a);
        double second = luminance(b);
        return (Math.max(first, second) + 0.05) / (Math.min(first, second) + 0.05);
    }

    private static double luminance(int[] colour) {
        double[] linear = new double[3];
        for (int i = 0; i < 3; i++) {
            double c = colour[i] / 255.0;
            linear[i] = c <= 0.04045 ? c / 12.92 : Math.pow((c + 0.055) / 1.055, 2.4);
        }
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2];
    }
}
