package dev.prefix4j.report;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.prefix4j.report.Charts.CannotDrawException;
import dev.prefix4j.report.Charts.Format;
import dev.prefix4j.report.Charts.Palette;
import dev.prefix4j.report.Charts.Picture;
import java.math.BigDecimal;
import java.math.MathContext;
import java.util.Base64;
import java.util.Locale;

/** The charts of a run as HTML: images for light and dark, wide and narrow screens, and their points for the script. */
final class Figures {
    private static final ObjectMapper JSON = new ObjectMapper();

    /** Digits of the values shown at the pointer. */
    private static final MathContext SHOWN = new MathContext(5);

    private final StringBuilder html = new StringBuilder();
    private final int steps;

    private Figures(int steps) {
        this.steps = steps;
    }

    static String of(RunRecord run) throws CannotDrawException {
        Figures figures = new Figures(run.steps());
        figures.html.append("<section class=\"charts\">\n");
        figures.add("Loss", Plot.loss(run), true);
        if (!run.learningRate.isEmpty()) {
            figures.add("Learning rate", Plot.learningRate(run), false);
        }
        if (!run.speed.isEmpty()) {
            figures.add("Throughput", Plot.speed(run), false);
        }
        if (!run.gradientNorm.isEmpty()) {
            figures.add("Gradient norm", Plot.gradientNorm(run), false);
        }
        return figures.html.append("</section>\n").toString();
    }

    /** A chart in both palettes; a large one also in a version for phones. */
    private void add(String title, Plot plot, boolean large) throws CannotDrawException {
        Format format = large ? Format.LARGE : Format.SMALL;
        Picture light = Charts.draw(plot, "", format, Palette.LIGHT);
        Picture dark = Charts.draw(plot, "", format, Palette.DARK);
        html.append(large ? "<figure class=\"wide\">" : "<figure>").append("<h3>%s</h3>\n".formatted(title));
        html.append("<div class=\"plot\" data-frame=\"")
                .append(frame(light, plot))
                .append('"');
        String sources = source("(prefers-color-scheme: dark)", dark);
        if (large) {
            Picture phone = Charts.draw(plot, "", Format.PHONE, Palette.LIGHT);
            Picture darkPhone = Charts.draw(plot, "", Format.PHONE, Palette.DARK);
            html.append(" data-phone=\"").append(frame(phone, plot)).append('"');
            sources = source("(max-width: 640px) and (prefers-color-scheme: dark)", darkPhone)
                    + source("(max-width: 640px)", phone)
                    + sources;
        }
        html.append(">\n<picture>\n").append(sources);
        html.append("<img src=\"%s\" width=\"%d\" height=\"%d\" alt=\"%s over %d steps\">\n</picture>\n"
                .formatted(dataUri(light), format.width, format.height, title, steps));
        html.append("<script type=\"application/json\">").append(points(plot)).append("</script>\n</div>\n</figure>\n");
    }

    /** Positions of step 0 and the last step, as fractions of the width; then the last step. */
    private static String frame(Picture picture, Plot plot) {
        return String.format(Locale.ROOT, "%.4f %.4f %d", picture.left(), picture.right(), plot.lastStep());
    }

    private static String source(String media, Picture picture) {
        return "<source media=\"%s\" srcset=\"%s\">\n".formatted(media, dataUri(picture));
    }

    private static String dataUri(Picture picture) {
        return "data:image/png;base64," + Base64.getEncoder().encodeToString(picture.png());
    }

    /** Only numbers and our own names, so nothing needs escaping. */
    private static String points(Plot plot) {
        ObjectNode json = JSON.createObjectNode();
        ArrayNode lines = json.putArray("lines");
        for (Plot.Line line : plot.lines()) {
            if (line.role() == Plot.Role.BEST) {
                continue; // already among the validations
            }
            ObjectNode node = lines.addObject().put("name", line.name());
            ArrayNode at = node.putArray("steps");
            ArrayNode values = node.putArray("values");
            for (int i = 0; i < line.steps().length; i++) {
                at.add(BigDecimal.valueOf(line.steps()[i]).stripTrailingZeros());
                values.add(BigDecimal.valueOf(line.values()[i]).round(SHOWN).stripTrailingZeros());
            }
        }
        return json.toString();
    }
}
