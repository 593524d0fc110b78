package dev.prefix4j.report;

import dev.prefix4j.AtomicFile;
import java.nio.file.Path;
import java.time.ZoneId;
import java.time.ZonedDateTime;
import java.util.Optional;

/** Writes the report of a run: {@code report.html} and {@code loss.png} in its folder. */
public final class Report {
    private static final String PAGE = "report.html";
    private static final String CHART = "loss.png";

    private Report() {}

    /**
     * What was written.
     *
     * @param page the report
     * @param chart the loss curve; absent if this machine cannot draw
     * @param cannotDraw why it cannot draw
     */
    public record Written(Path page, Optional<Path> chart, Optional<String> cannotDraw) {}

    /**
     * Writes both files from the folder's logs, replacing earlier ones. If this machine cannot draw, the report
     * says so and has no charts.
     *
     * @throws dev.prefix4j.InputException if the folder is not a run, has no step yet, or a line of its logs is corrupt
     */
    public static Written write(Path folder) {
        return write(RunRecord.read(folder));
    }

    static Written write(RunRecord run) {
        Path folder = run.folder;
        Path page = folder.resolve(PAGE);
        Path chart = folder.resolve(CHART);
        Optional<String> cannotDraw = Optional.empty();
        String figures;
        try {
            byte[] png = Charts.draw(Plot.loss(run), "Loss of " + run.name(), Charts.Format.LARGE, Charts.Palette.LIGHT)
                    .png();
            figures = Figures.of(run);
            AtomicFile.write(chart, out -> out.write(png));
        } catch (Charts.CannotDrawException e) {
            String problem = String.valueOf(e.getMessage());
            cannotDraw = Optional.of(problem);
            figures = "<p class=\"warning\">" + Html.escape(problem) + "</p>\n";
        }
        AtomicFile.write(page, Page.of(run, ZonedDateTime.now(ZoneId.systemDefault()), figures));
        return new Written(page, cannotDraw.isPresent() ? Optional.empty() : Optional.of(chart), cannotDraw);
    }
}
