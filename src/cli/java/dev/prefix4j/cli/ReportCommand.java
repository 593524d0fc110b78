package dev.prefix4j.cli;

import dev.prefix4j.AtomicFile;
import dev.prefix4j.report.MetricsCsv;
import dev.prefix4j.report.Report;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

@Command(
        name = "report",
        description =
                "Writes report.html and loss.png of a run, finished or not, to its folder, or its metrics as CSV.")
final class ReportCommand extends ConsoleCommand {
    private static final String STANDARD_OUTPUT = "-";

    @Option(names = "--run", paramLabel = "DIR", required = true, description = "Folder of the run.")
    Path run;

    @Option(
            names = "--csv",
            paramLabel = "FILE",
            arity = "0..1",
            fallbackValue = STANDARD_OUTPUT,
            description = "Write the run's metrics as CSV to FILE, or to standard output, instead of the report"
                    + " (docs/training.md has the columns).")
    @Nullable
    String csv;

    @Spec
    CommandSpec spec;

    ReportCommand(Console console) {
        super(console);
    }

    @Override
    public Integer call() {
        if (csv != null) {
            return writeCsv(csv);
        }
        Report.Written written = Report.write(run);
        written.cannotDraw().ifPresent(reason -> console.say("%s", reason));
        if (json) {
            console.out()
                    .println(JSON.createObjectNode()
                            .put("report", written.page().toString())
                            .put("chart", written.chart().map(Path::toString).orElse(null)));
        } else {
            console.out().printf("report       %s%n", written.page());
            written.chart().ifPresent(chart -> console.out().printf("chart        %s%n", chart));
        }
        return Main.OK;
    }

    private int writeCsv(String target) {
        if (!target.equals(STANDARD_OUTPUT)) {
            Path file = Path.of(target);
            AtomicFile.write(file, out -> MetricsCsv.write(run, out));
            console.out()
                    .println(json ? JSON.createObjectNode().put("csv", target).toString() : "csv          " + file);
            return Main.OK;
        }
        if (json) {
            throw new ParameterException(
                    spec.commandLine(),
                    "--json with --csv: expected a file for the CSV, since both go to standard output");
        }
        try {
            MetricsCsv.write(run, console.out());
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return Main.OK;
    }
}
