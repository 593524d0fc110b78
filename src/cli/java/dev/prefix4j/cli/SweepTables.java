package dev.prefix4j.cli;

import com.fasterxml.jackson.databind.JsonNode;
import dev.prefix4j.AtomicFile;
import dev.prefix4j.eval.Metric;
import dev.prefix4j.experiment.Plan;
import dev.prefix4j.experiment.Results;
import dev.prefix4j.report.SweepPage;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Collectors;

/** The table, the plots and the page of a sweep. */
final class SweepTables {
    private final Plan plan;
    private final SweepRuns runs;
    private final Path out;

    /** Training records of runs that have ended, by their folders; each is read once. */
    private final Map<String, Optional<SweepPage.Trained>> trained = new HashMap<>();

    SweepTables(Plan plan, SweepRuns runs, Path out) {
        this.plan = plan;
        this.runs = runs;
        this.out = out;
    }

    /** The table, in Markdown. */
    Path table() {
        return out.resolve("table.md");
    }

    /** The page. */
    Path report() {
        return out.resolve("report.html");
    }

    /** @param ended results of the runs that have ended, by their folders */
    void write(Map<String, JsonNode> ended) {
        Results results = new Results(plan, ended);
        AtomicFile.write(table(), results.markdown());
        AtomicFile.write(out.resolve("results.csv"), results.csv());
        List<SweepPage.Score> scores = scores(results);
        SweepPage.Sweep sweep = new SweepPage.Sweep(
                plan.name(),
                plan.remark(),
                results.remark(),
                results.variants(),
                results.table(),
                results.table().getFirst().indexOf("runs"),
                results.claims(),
                plan.runs().stream()
                        .filter(run -> ended.containsKey(run.folder()))
                        .map(run -> shown(run))
                        .toList());
        AtomicFile.write(report(), SweepPage.page(sweep, scores));
    }

    private List<SweepPage.Score> scores(Results results) {
        List<SweepPage.Score> scores = new ArrayList<>();
        for (String name : plan.scores()) {
            Results.Curves curves = results.curves(name);
            SweepPage.Score score = new SweepPage.Score(
                    name,
                    higherIsBetter(name),
                    curves.axis(),
                    curves.ticks(),
                    curves.lines(),
                    curves.deviations(),
                    curves.variants());
            scores.add(score);
            byte[] png = SweepPage.plot(score);
            if (png.length > 0) {
                AtomicFile.write(out.resolve(name + ".png"), stream -> stream.write(png));
            }
        }
        return scores;
    }

    /** @param score a metric, or a metric and the name of a test */
    private static boolean higherIsBetter(String score) {
        return Arrays.stream(Metric.values())
                .filter(metric -> score.equals(metric.key()) || score.startsWith(metric.key() + "-"))
                .max(Comparator.comparingInt(metric -> metric.key().length()))
                .map(Metric::higherIsBetter)
                .orElse(true);
    }

    private SweepPage.Run shown(Plan.Run run) {
        Map<String, Path> files = new LinkedHashMap<>();
        files.put("report", runs.folder(run).resolve("report.html"));
        plan.tests()
                .keySet()
                .forEach(
                        test -> files.put(test.isEmpty() ? "outputs" : "outputs for " + test, runs.outputs(run, test)));
        Map<String, String> links = new LinkedHashMap<>();
        files.forEach((what, file) -> {
            if (Files.isRegularFile(file)) {
                links.put(what, out.relativize(file).toString());
            }
        });
        String point = run.point().entrySet().stream()
                .map(entry -> entry.getKey() + " " + entry.getValue())
                .collect(Collectors.joining(", "));
        return new SweepPage.Run(
                run.variant(),
                point,
                links,
                trained.computeIfAbsent(run.folder(), _ -> SweepPage.Trained.read(runs.folder(run))));
    }
}
