package dev.prefix4j.report;

import dev.prefix4j.ProcessSettings;
import java.awt.BasicStroke;
import java.awt.Color;
import java.awt.Font;
import java.awt.Graphics2D;
import java.awt.image.BufferedImage;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.util.Arrays;
import java.util.Locale;
import javax.imageio.ImageIO;
import org.knowm.xchart.XYChart;
import org.knowm.xchart.XYChartBuilder;
import org.knowm.xchart.XYSeries;
import org.knowm.xchart.internal.chartpart.Chart;
import org.knowm.xchart.style.AxesChartStyler;
import org.knowm.xchart.style.Styler.LegendLayout;
import org.knowm.xchart.style.Styler.LegendPosition;
import org.knowm.xchart.style.XYStyler;
import org.knowm.xchart.style.markers.Marker;
import org.knowm.xchart.style.markers.SeriesMarkers;

/** Draws plots with XChart, without a display. */
final class Charts {
    /** Pixels per chart point: crisp on high-density screens. */
    static final int SCALE = 2;

    /** Lines with at most this many points show markers. */
    private static final int FEW = 40;

    /** Margin before the first and after the last step, as a fraction of the range; XChart omits a tick at the very edge. */
    static final double MARGIN = 0.02;

    static {
        ProcessSettings.setDefault("java.awt.headless", "true"); // read when AWT loads
    }

    private Charts() {}

    /** Colours; the same as in the page's style sheet. */
    enum Palette {
        LIGHT(
                0xffffff, 0x1f2328, 0x59636e, 0xe3e6ea, 0x2563eb, 0xd9480f, 90, 0x2563eb, 0xd9480f, 0x2b8a3e, 0x9c36b5,
                0x0b7285, 0xc2255c, 0x846800, 0x495057),
        DARK(
                0x181d24, 0xe6e9ee, 0x9aa4b2, 0x2c343f, 0x6ea8fe, 0xffa94d, 110, 0x6ea8fe, 0xffa94d, 0x69db7c, 0xda77f2,
                0x3bc9db, 0xfaa2c1, 0xffd43b, 0xadb5bd);

        /** Number of variant colours; more variants reuse them. */
        static final int SERIES = 8;

        private final Color background;
        private final Color text;
        private final Color muted;
        private final Color grid;
        private final Color main;
        private final Color validation;
        private final Color raw;

        @SuppressWarnings("ImmutableEnumChecker") // nobody writes to it
        private final Color[] series;

        Palette(int background, int text, int muted, int grid, int main, int validation, int rawAlpha, int... series) {
            this.background = new Color(background);
            this.text = new Color(text);
            this.muted = new Color(muted);
            this.grid = new Color(grid);
            this.main = new Color(main);
            this.validation = new Color(validation);
            this.raw = new Color(main >> 16 & 255, main >> 8 & 255, main & 255, rawAlpha);
            this.series = Arrays.stream(series).mapToObj(Color::new).toArray(Color[]::new);
        }

        Color series(int variant) {
            return series[variant % SERIES];
        }

        private Color of(Plot.Role role) {
            return switch (role) {
                case RAW -> raw;
                case MAIN -> main;
                case VALIDATION, BEST -> validation;
            };
        }
    }

    /** Width and height of a chart in points. */
    enum Format {
        /** Full page width. */
        LARGE(1040, 420, 13, 12),
        /** For several side by side. */
        SMALL(340, 270, 11, 5),
        /** Full width of a phone. */
        PHONE(380, 330, 12, 5);

        final int width;
        final int height;
        private final int fontSize;
        final int ticks;

        Format(int width, int height, int fontSize, int ticks) {
            this.width = width;
            this.height = height;
            this.fontSize = fontSize;
            this.ticks = ticks;
        }
    }

    /**
     * An image of a plot.
     *
     * @param png its bytes
     * @param left position of the first step, as a fraction of the width
     * @param right position of the last step
     */
    record Picture(byte[] png, double left, double right) {}

    /** This machine cannot draw text: fonts or their libraries are missing. */
    static final class CannotDrawException extends Exception {
        private static final long serialVersionUID = 1L;

        CannotDrawException(Throwable cause) {
            super("charts cannot be drawn: are libfontconfig and a font installed? (" + root(cause) + ")", cause);
        }

        private static Throwable root(Throwable error) {
            return error.getCause() == null ? error : root(error.getCause());
        }
    }

    /**
     * Draws a plot.
     *
     * @param title above the chart; empty for none
     */
    static Picture draw(Plot plot, String title, Format format, Palette palette) throws CannotDrawException {
        try {
            XYChart chart = chart(plot, title, format, palette);
            byte[] png = png(chart, format);
            return new Picture(
                    png,
                    chart.getScreenXFromChart(0) / format.width,
                    chart.getScreenXFromChart(plot.lastStep()) / format.width);
        } catch (LinkageError | InternalError | RuntimeException e) {
            throw new CannotDrawException(e);
        }
    }

    /** Draws a chart that was created elsewhere. */
    static byte[] png(Chart<?, ?> chart, Format format) throws CannotDrawException {
        try {
            BufferedImage image =
                    new BufferedImage(SCALE * format.width, SCALE * format.height, BufferedImage.TYPE_INT_RGB);
            Graphics2D graphics = image.createGraphics();
            try {
                graphics.scale(SCALE, SCALE);
                chart.paint(graphics, format.width, format.height);
            } finally {
                graphics.dispose();
            }
            ByteArrayOutputStream png = new ByteArrayOutputStream();
            ImageIO.setUseCache(false); // no temporary files
            ImageIO.write(image, "png", png);
            return png.toByteArray();
        } catch (LinkageError | InternalError | RuntimeException | IOException e) {
            throw new CannotDrawException(e);
        }
    }

    private static XYChart chart(Plot plot, String title, Format format, Palette palette) {
        XYChart chart = new XYChartBuilder()
                .width(format.width)
                .height(format.height)
                .title(title)
                .xAxisTitle("step")
                .yAxisTitle(plot.quantity())
                .build();
        style(chart.getStyler(), plot, format, palette);
        chart.getStyler().setChartTitleVisible(!title.isEmpty());
        for (Plot.Line line : plot.lines()) {
            XYSeries series = chart.addSeries(line.name(), line.steps(), line.values());
            Color colour = palette.of(line.role());
            series.setLineColor(colour);
            series.setMarkerColor(colour);
            series.setMarker(marker(line));
            series.setLineStyle(new BasicStroke(
                    line.role() == Plot.Role.RAW ? 1 : 2.2f, BasicStroke.CAP_ROUND, BasicStroke.JOIN_ROUND));
        }
        return chart;
    }

    private static Marker marker(Plot.Line line) {
        return switch (line.role()) {
            case BEST -> SeriesMarkers.DIAMOND;
            case VALIDATION -> line.steps().length <= FEW ? SeriesMarkers.CIRCLE : SeriesMarkers.NONE;
            case RAW, MAIN -> line.steps().length == 1 ? SeriesMarkers.CIRCLE : SeriesMarkers.NONE;
        };
    }

    private static void style(XYStyler styler, Plot plot, Format format, Palette palette) {
        style(styler, format, palette);
        styler.setLegendVisible(plot.lines().size() > 1);
        styler.setXAxisDecimalPattern("#,##0");
        styler.setYAxisDecimalPattern(plot.pattern());
        styler.setXAxisMaxLabelCount(format.ticks);
        styler.setXAxisMin(-MARGIN * plot.lastStep());
        styler.setXAxisMax((1 + MARGIN) * plot.lastStep());
        styler.setYAxisMin(plot.least());
        styler.setYAxisMax(plot.most());
    }

    /** The style of all charts. */
    static void style(AxesChartStyler styler, Format format, Palette palette) {
        Font font = new Font(Font.SANS_SERIF, Font.PLAIN, format.fontSize);
        styler.setChartBackgroundColor(palette.background);
        styler.setPlotBackgroundColor(palette.background);
        styler.setLegendBackgroundColor(palette.background);
        styler.setLegendBorderColor(palette.background);
        styler.setChartFontColor(palette.text);
        styler.setXAxisTitleColor(palette.muted);
        styler.setYAxisTitleColor(palette.muted);
        styler.setAxisTickLabelsColor(palette.muted);
        styler.setAxisTickMarksColor(palette.grid);
        styler.setPlotGridLinesColor(palette.grid);
        styler.setPlotGridLinesStroke(new BasicStroke(1));
        styler.setPlotBorderVisible(false);
        styler.setBaseFont(font);
        styler.setLegendFont(font);
        styler.setAxisTitleFont(font);
        styler.setAxisTickLabelsFont(font);
        styler.setChartTitleFont(font.deriveFont(Font.BOLD, format.fontSize + 2f));
        styler.setChartTitleBoxVisible(false);
        styler.setChartPadding(format == Format.LARGE ? 16 : 10);
        styler.setMarkerSize(7);
        styler.setErrorBarsColor(palette.muted);
        styler.setLegendPosition(LegendPosition.OutsideS);
        styler.setLegendLayout(format == Format.PHONE ? LegendLayout.Vertical : LegendLayout.Horizontal);
        styler.setLegendPadding(format == Format.LARGE ? 12 : 6);
        styler.setLocale(Locale.ROOT);
        styler.setYAxisTickMarkSpacingHint(45);
        styler.setPlotContentSize(1);
    }
}
