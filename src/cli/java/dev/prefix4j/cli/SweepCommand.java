package dev.prefix4j.cli;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.prefix4j.AtomicFile;
import dev.prefix4j.InputException;
import dev.prefix4j.eval.Metric;
import dev.prefix4j.experiment.Plan;
import dev.prefix4j.experiment.Results;
import dev.prefix4j.task.BuiltIns;
import dev.prefix4j.train.RunDirectory;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;

@Command(
        name = "sweep",
        description =
                "Runs a plan of experiments: trains, generates and evaluates for every point of a grid, and makes a"
                        + " table and plots. Run again, even with a longer plan, it continues where it stopped.")
final class SweepCommand extends ConsoleCommand {
    private static final String PLAN = "plan.yaml";

    @Parameters(index = "0", paramLabel = "PLAN", description = "A plan in YAML (docs/experiments.md).")
    Path plan;

    @Option(
            names = OptionNames.OUT,
            paramLabel = "DIR",
            required = true,
            description = "Folder for the sweep: new, or that of this plan.")
    Path out;

    @Option(names = "--list", description = "Only list the runs and how far each is.")
    boolean list;

    SweepCommand(Console console) {
        super(console);
    }

    @Override
    public Integer call() {
        Plan planned = Plan.read(plan);
        SweepRuns runs = new SweepRuns(planned, out, console);
        check(planned, runs);
        if (list) {
            planned.runs().forEach(run -> console.out().printf("%-8s %s%n", runs.progress(run).label, run.folder()));
            return Main.OK;
        }
        requireFolder();
        planned.runs().forEach(runs::progress); // fails before the long work
        try (FileChannel _ = RunDirectory.hold(out)) {
            AtomicFile.write(out.resolve(PLAN), Files.readString(plan));
            return runAll(planned, runs);
        } catch (IOException e) {
            throw AtomicFile.cannotRead(plan, e);
        }
    }

    private int runAll(Plan planned, SweepRuns work) {
        List<Plan.Run> runs = planned.runs();
        SweepTables tables = new SweepTables(planned, work, out);
        Map<String, JsonNode> results = new LinkedHashMap<>();
        for (Plan.Run run : runs) {
            if (work.progress(run) == SweepRuns.Progress.ENDED) {
                results.put(run.folder(), work.result(run));
            }
        }
        List<String> failed = new ArrayList<>();
        for (int i = 0; i < runs.size(); i++) {
            Plan.Run run = runs.get(i);
            if (results.containsKey(run.folder())) {
                continue;
            }
            console.say("run %d of %d: %s", i + 1, runs.size(), run.folder());
            try {
                JsonNode result = work.run(run);
                if (result == null) {
                    console.say("stopped; resume with: scripts/prefix4j sweep %s --out %s", plan, out);
                    return Main.OK;
                }
                results.put(run.folder(), result);
                tables.write(results);
            } catch (InputException e) {
                console.say("%s", e.getMessage());
                failed.add(run.folder());
            }
        }
        tables.write(results);
        if (json) {
            ObjectNode node = JSON.createObjectNode();
            node.put("runs", results.size()).put("table", tables.table().toString());
            failed.forEach(node.putArray("failed")::add);
            console.out().println(node.put("report", tables.report().toString()));
        } else {
            console.out().print(new Results(planned, results).markdown());
            console.out().printf("table      %s, results.csv%nreport     %s%n", tables.table(), tables.report());
        }
        if (!failed.isEmpty()) {
            throw new InputException("%s: %d of %d runs failed: %s; the same command tries them again"
                    .formatted(plan, failed.size(), runs.size(), String.join(", ", failed)));
        }
        return Main.OK;
    }

    /** Checks the plan's options, before the long work. */
    private void check(Plan planned, SweepRuns runs) {
        for (String metric : planned.metrics()) {
            if (Arrays.stream(Metric.values()).noneMatch(known -> known.key().equals(metric))) {
                throw new InputException("%s: key 'metrics': expected some of %s, found '%s'"
                        .formatted(
                                plan,
                                Arrays.stream(Metric.values()).map(Metric::key).toList(),
                                metric));
            }
        }
        planned.tests().values().forEach(data -> requireData("test", data));
        CommandLine commands = Main.silent(console.environment());
        for (Plan.Run run : planned.runs()) {
            try {
                Main.check(commands, runs.training(run));
                planned.tests().forEach((test, data) -> Main.check(commands, runs.generation(run, test, data)));
            } catch (ParameterException | InputException e) {
                throw new InputException("%s: run %s: %s".formatted(plan, run.folder(), e.getMessage()), e);
            }
            for (String key : List.of(OptionNames.key(OptionNames.DATA), OptionNames.key(OptionNames.VALID))) {
                if (run.options().containsKey(key)) {
                    requireData(key, run.options().get(key));
                }
            }
        }
    }

    private void requireData(String key, String data) {
        Path file = BuiltIns.data(Path.of(data));
        if (!Files.exists(file)) {
            throw new InputException("%s: key '%s': expected a data file, found no %s".formatted(plan, key, file));
        }
    }

    /** The folder is new or empty, or holds a plan. */
    private void requireFolder() {
        if (!Files.isRegularFile(out.resolve(PLAN))) {
            RunDirectory.requireNew(out);
            RunOptions.requireWritable(out);
        }
    }
}
