package dev.prefix4j.cli;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.prefix4j.AtomicFile;
import dev.prefix4j.InputException;
import dev.prefix4j.JsonFile;
import dev.prefix4j.eval.Metric;
import dev.prefix4j.experiment.Plan;
import dev.prefix4j.experiment.Results;
import dev.prefix4j.report.SweepPage;
import dev.prefix4j.train.RunDirectory;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;

@Command(
        name = "sweep",
        description = "Runs a plan of experiments: trains, generates and evaluates for every point of a grid, and makes a table and"
                + " plots. Given again, it goes on where it was.")
final class SweepCommand extends ConsoleCommand {
    private static final String RESULT = "result.json";
    private static final long MAX_RESULT_BYTES = 1 << 20;

    /** Options of generate that say what is read, and so are evaluate's too. */
    private static final List<String> READING = List.of("limit", "format", "source-field", "target-field");

    @Parameters(index = "0", paramLabel = "PLAN", description = "A plan in YAML (docs/experiments.md).")
    Path plan;

    @Option(names = "--out", paramLabel = "DIR", required = true, description = "Folder for the sweep: new, or that of this plan.")
    Path out;

    @Option(names = "--list", description = "Only say which runs there are, and which have ended.")
    boolean list;

    SweepCommand(Console console) {
        super(console);
    }

    @Override
    public Integer call() {
        Plan planned = Plan.read(plan);
        if (!list) {
            check(planned);
            takeFolder();
        }
        List<Plan.Run> runs = planned.runs();
        Map<String, JsonNode> results = new LinkedHashMap<>();
        for (Plan.Run run : runs) {
            Path result = folder(run).resolve(RESULT);
            if (Files.isRegularFile(result)) {
                results.put(run.folder(), JsonFile.readObject(result, "the result of a run", MAX_RESULT_BYTES));
            }
        }
        if (list) {
            runs.forEach(run -> console.out().printf("%-8s %s%n", results.containsKey(run.folder()) ? "ended" : "to do", run.folder()));
            return Main.OK;
        }
        for (int i = 0; i < runs.size(); i++) {
            Plan.Run run = runs.get(i);
            if (results.containsKey(run.folder())) {
                continue;
            }
            console.say("run %d of %d: %s", i + 1, runs.size(), run.folder());
            JsonNode result = run(planned, run);
            if (result == null) {
                console.say("stopped; go on with: scripts/prefix4j sweep %s --out %s", plan, out);
                return Main.OK;
            }
            results.put(run.folder(), result);
            write(planned, results);
        }
        write(planned, results);
        if (json) {
            ObjectNode node = JSON.createObjectNode();
            node.put("runs", results.size()).put("table", out.resolve("table.md").toString());
            console.out().println(node.put("report", out.resolve("report.html").toString()));
        } else {
            console.out().print(new Results(planned, results).markdown());
            console.out().printf("table      %s, results.csv%nreport     %s%n", out.resolve("table.md"), out.resolve("report.html"));
        }
        return Main.OK;
    }

    /** Everything that can be wrong with the plan's options, before the long work. */
    private void check(Plan planned) {
        for (String metric : planned.metrics()) {
            if (Arrays.stream(Metric.values()).noneMatch(known -> known.key().equals(metric))) {
                throw new InputException("%s: key 'metrics': expected some of %s, found '%s'"
                        .formatted(plan, Arrays.stream(Metric.values()).map(Metric::key).toList(), metric));
            }
        }
        planned.tests().values().forEach(data -> requireData("test", data));
        for (Plan.Run run : planned.runs()) {
            try {
                Main.check(training(run), console.environment());
                planned.tests().forEach((test, data) -> Main.check(generation(planned, run, test, data), console.environment()));
            } catch (ParameterException | InputException e) {
                throw new InputException("%s: run %s: %s".formatted(plan, run.folder(), e.getMessage()), e);
            }
            for (String key : List.of("data", "valid")) {
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

    private Path folder(Plan.Run run) {
        return out.resolve("runs").resolve(run.folder());
    }

    /** The folder is new or empty, or holds this very plan. */
    private void takeFolder() {
        Path copy = out.resolve("plan.yaml");
        try {
            byte[] wanted = Files.readAllBytes(plan);
            if (Files.isRegularFile(copy)) {
                if (!Arrays.equals(Files.readAllBytes(copy), wanted)) {
                    throw new InputException(out + ": expected the folder of this plan, found that of another one (plan.yaml)");
                }
                return;
            }
            RunDirectory.requireNew(out);
            RunOptions.requireWritable(out);
            AtomicFile.createFolder(out);
            AtomicFile.write(copy, new String(wanted, StandardCharsets.UTF_8));
        } catch (IOException e) {
            throw AtomicFile.cannotRead(copy, e);
        }
    }

    /** @return what it gave; null if it was interrupted */
    private JsonNode run(Plan planned, Plan.Run run) {
        Path folder = folder(run);
        boolean begun = Files.isRegularFile(folder.resolve(RunDirectory.CONFIG));
        if (begun && "in-context".equals(run.options().get("method"))) {
            throw new InputException(folder + ": an in-context run that did not end cannot be resumed: delete the folder");
        }
        List<String> resuming = List.of("train", "--out", folder.toString(), "--json", "--resume");
        JsonNode trained = command(run, begun ? resuming : training(run));
        if (!trained.path("finished").asBoolean()) {
            return null;
        }
        ObjectNode result = JSON.createObjectNode();
        result.set("train", trained);
        result.put("train_seconds", seconds(folder));
        ObjectNode scores = result.putObject("scores");
        planned.tests().forEach((test, data) -> score(planned, run, test, data, scores));
        AtomicFile.write(folder.resolve(RESULT), result.toPrettyString() + "\n");
        return result;
    }

    private List<String> training(Plan.Run run) {
        List<String> train = new ArrayList<>(List.of("train", "--out", folder(run).toString(), "--json"));
        run.options().forEach((key, value) -> add(train, key, value));
        return train;
    }

    private Path outputs(Plan.Run run, String test) {
        return folder(run).resolve(test.isEmpty() ? "outputs.txt" : "outputs-" + test + ".txt");
    }

    private List<String> generation(Plan planned, Plan.Run run, String test, String data) {
        List<String> generate = new ArrayList<>(List.of(
                "generate", "--model", run.options().getOrDefault("model", ""), "--adapter", folder(run).resolve("adapter").toString(),
                "--data", data, "--distinct", "--out", outputs(run, test).toString()));
        Map<String, String> options = new LinkedHashMap<>(planned.generate());
        if (run.options().containsKey("compat")) {
            options.putIfAbsent("compat", run.options().get("compat")); // read as it was trained
        }
        options.forEach((key, value) -> add(generate, key, value));
        return generate;
    }

    /** Generates and evaluates for one test. */
    private void score(Plan planned, Plan.Run run, String test, String data, ObjectNode scores) {
        Path outputs = outputs(run, test);
        command(run, generation(planned, run, test, data));
        List<String> evaluate = new ArrayList<>(List.of(
                "evaluate", "--hyps", outputs.toString(), "--data", data, "--json", "--metrics", String.join(",", planned.metrics())));
        for (String option : READING) {
            if (planned.generate().containsKey(option)) {
                evaluate.addAll(List.of("--" + option, planned.generate().get(option)));
            }
        }
        JsonNode scored = command(run, evaluate);
        planned.metrics().forEach(metric ->
                scores.set(Plan.score(metric, test), scored.path("metrics").path(metric).path("score")));
    }

    private static void add(List<String> arguments, String option, String value) {
        if (value.equals("false")) {
            return;
        }
        arguments.add(value.equals("true") ? "--" + option : "--" + option + "=" + value);
    }

    /** Of all steps; 0 where none was taken. */
    private static double seconds(Path folder) {
        Path metrics = folder.resolve(RunDirectory.METRICS);
        if (!Files.exists(metrics)) {
            return 0;
        }
        try (Stream<String> lines = Files.lines(metrics)) {
            double sum = 0;
            for (String line : (Iterable<String>) lines::iterator) {
                sum += JSON.readTree(line).path("seconds").asDouble();
            }
            return Math.round(1000 * sum) / 1000.0;
        } catch (IOException e) {
            throw AtomicFile.cannotRead(metrics, e);
        }
    }

    /** @return the JSON that it prints; an empty object if none */
    private JsonNode command(Plan.Run run, List<String> arguments) {
        ByteArrayOutputStream result = new ByteArrayOutputStream();
        int code = Main.run(
                arguments.toArray(String[]::new),
                console.in(),
                new PrintStream(result, true, StandardCharsets.UTF_8),
                console.err(),
                console.environment());
        if (code != Main.OK) {
            throw new InputException("%s: '%s' did not succeed (the line above says why)".formatted(run.folder(), arguments.getFirst()));
        }
        try {
            return result.size() == 0 ? JSON.createObjectNode() : JSON.readTree(result.toByteArray());
        } catch (IOException e) {
            throw new IllegalStateException(e);
        }
    }

    private void write(Plan planned, Map<String, JsonNode> ended) {
        Results results = new Results(planned, ended);
        AtomicFile.write(out.resolve("table.md"), results.markdown());
        AtomicFile.write(out.resolve("results.csv"), results.csv());
        Map<String, byte[]> plots = new LinkedHashMap<>();
        for (String metric : planned.scores()) {
            Results.Curves curves = results.curves(metric);
            byte[] png = SweepPage.plot(metric, curves.axis(), curves.ticks(), curves.lines());
            if (png.length > 0) {
                plots.put(metric, png);
                AtomicFile.write(out.resolve(metric + ".png"), stream -> stream.write(png));
            }
        }
        AtomicFile.write(
                out.resolve("report.html"),
                SweepPage.page(planned.name(), planned.remark(), results.table(), results.remark(), results.claims(), plots));
    }
}
