package dev.prefix4j.cli;

import dev.prefix4j.report.Report;
import java.nio.file.Path;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

@Command(name = "report", description = "Shows a run, ended or not, as report.html and loss.png in its folder.")
final class ReportCommand extends ConsoleCommand {
    @Option(names = "--run", paramLabel = "DIR", required = true, description = "Folder of the run.")
    Path run;

    ReportCommand(Console console) {
        super(console);
    }

    @Override
    public Integer call() {
        Report.Written written = Report.write(run);
        written.cannotDraw().ifPresent(reason -> console.say("%s", reason));
        if (json) {
            console.out().println(JSON.createObjectNode()
                    .put("report", written.page().toString())
                    .put("chart", written.chart().map(Path::toString).orElse(null)));
        } else {
            console.out().printf("report       %s%n", written.page());
            written.chart().ifPresent(chart -> console.out().printf("chart        %s%n", chart));
        }
        return Main.OK;
    }
}
