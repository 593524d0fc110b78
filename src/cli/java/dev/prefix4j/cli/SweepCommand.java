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
import dev.prefix4j.train.StepReader;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
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
import java.util.stream.Stream;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;

@Command(
        name = "sweep",
        description =
                "Runs a plan of experiments: trains, generates and evaluates for every point of a grid, and makes a"
                        + " table and plots. Given again, also with more in the plan, it goes on where it was.")
final class SweepCommand extends ConsoleCommand {
    private static final String PLAN = "plan.yaml";
    private static final String RESULT = "result.json";

    /** Keys of a result: the options that it was made with. */
    private static final String TRAINING = "options";

    private static final String SCORING = "scoring";
    private static final long MAX_RESULT_BYTES = 1 << 20;

    /** Options of generate that say what is read, and so are evaluate's too. */
    private static final List<String> READING = List.of("limit", "format", "source-field", "target-field", "lang");

    @Parameters(index = "0", paramLabel = "PLAN", description = "A plan in YAML (docs/experiments.md).")
    Path plan;

    @Option(
            names = "--out",
            paramLabel = "DIR",
            required = true,
            description = "Folder for the sweep: new, or that of this plan.")
    Path out;

    @Option(names = "--list", description = "Only say which runs there are, and which have ended.")
    boolean list;

    /** Of runs that have ended, by their folders: read once. */
    private final Map<String, Optional<SweepPage.Trained>> trained = new HashMap<>();

    SweepCommand(Console console) {
        super(console);
    }

    /** How far a run is. */
    private enum Progress {
        TO_DO("to do"),
        BEGUN("begun"),
        TO_SCORE("to score"),
        ENDED("ended");

        private final String label;

        Progress(String label) {
            this.label = label;
        }
    }

    @Override
    public Integer call() {
        Plan planned = Plan.read(plan);
        check(planned);
        if (list) {
            planned.runs()
                    .forEach(run -> console.out().printf("%-8s %s%n", progress(planned, run).label, run.folder()));
            return Main.OK;
        }
        requireFolder();
        planned.runs().forEach(run -> progress(planned, run)); // fails before the long work
        try (FileChannel _ = RunDirectory.hold(out)) {
            AtomicFile.write(out.resolve(PLAN), Files.readString(plan));
            return runAll(planned);
        } catch (IOException e) {
            throw AtomicFile.cannotRead(plan, e);
        }
    }

    private int runAll(Plan planned) {
        List<Plan.Run> runs = planned.runs();
        Map<String, JsonNode> results = new LinkedHashMap<>();
        for (Plan.Run run : runs) {
            if (progress(planned, run) == Progress.ENDED) {
                results.put(run.folder(), result(run));
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
                JsonNode result = run(planned, run);
                if (result == null) {
                    console.say("stopped; go on with: scripts/prefix4j sweep %s --out %s", plan, out);
                    return Main.OK;
                }
                results.put(run.folder(), result);
                write(planned, results);
            } catch (InputException e) {
                console.say("%s", e.getMessage());
                failed.add(run.folder());
            }
        }
        write(planned, results);
        if (json) {
            ObjectNode node = JSON.createObjectNode();
            node.put("runs", results.size())
                    .put("table", out.resolve("table.md").toString());
            failed.forEach(node.putArray("failed")::add);
            console.out().println(node.put("report", out.resolve("report.html").toString()));
        } else {
            console.out().print(new Results(planned, results).markdown());
            console.out()
                    .printf(
                            "table      %s, results.csv%nreport     %s%n",
                            out.resolve("table.md"), out.resolve("report.html"));
        }
        if (!failed.isEmpty()) {
            throw new InputException("%s: %d of %d runs did not succeed: %s; given again, they are tried again"
                    .formatted(plan, failed.size(), runs.size(), String.join(", ", failed)));
        }
        return Main.OK;
    }

    private JsonNode result(Plan.Run run) {
        return JsonFile.readObject(folder(run).resolve(RESULT), "the result of a run", MAX_RESULT_BYTES);
    }

    /** @throws InputException if the run in the folder was made with other options of train */
    private Progress progress(Plan planned, Plan.Run run) {
        if (!Files.isRegularFile(folder(run).resolve(RESULT))) {
            return Files.isRegularFile(folder(run).resolve(RunDirectory.CONFIG)) ? Progress.BEGUN : Progress.TO_DO;
        }
        JsonNode result = result(run);
        if (!result.path(TRAINING).equals(JSON.valueToTree(run.options()))) {
            throw new InputException(
                    "%s: expected a run with the plan's options %s, found %s: choose another --out or delete this folder"
                            .formatted(folder(run), JSON.valueToTree(run.options()), result.path(TRAINING)));
        }
        return result.path(SCORING).equals(scoring(planned)) ? Progress.ENDED : Progress.TO_SCORE;
    }

    /** What decides on scores, apart from training. */
    private static JsonNode scoring(Plan planned) {
        ObjectNode node = JSON.createObjectNode();
        node.set("test", JSON.valueToTree(planned.tests()));
        node.set("generate", JSON.valueToTree(planned.generate()));
        node.set("metrics", JSON.valueToTree(planned.metrics()));
        return node;
    }

    /** Everything that can be wrong with the plan's options, before the long work. */
    private void check(Plan planned) {
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
                Main.check(commands, training(run));
                planned.tests().forEach((test, data) -> Main.check(commands, generation(planned, run, test, data)));
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

    /** The folder is new or empty, or holds a plan. */
    private void requireFolder() {
        if (!Files.isRegularFile(out.resolve(PLAN))) {
            RunDirectory.requireNew(out);
            RunOptions.requireWritable(out);
        }
    }

    /** @return what it gave; null if it was interrupted */
    private JsonNode run(Plan planned, Plan.Run run) {
        Path folder = folder(run);
        JsonNode trained;
        double seconds;
        if (progress(planned, run) == Progress.TO_SCORE) {
            trained = result(run).path("train");
            seconds = result(run).path("train_seconds").asDouble();
        } else {
            List<String> train = training(run);
            if (progress(planned, run) == Progress.BEGUN) {
                if ("in-context".equals(run.options().get("method"))) {
                    deleteRun(folder); // there is nothing to go on with
                } else {
                    train.add("--resume"); // the options that are given again must agree
                }
            }
            trained = command(run, train);
            if (!trained.path("finished").asBoolean()) {
                return null;
            }
            seconds = seconds(folder);
        }
        ObjectNode result = JSON.createObjectNode();
        result.set("train", trained);
        result.put("train_seconds", seconds);
        ObjectNode scores = result.putObject("scores");
        planned.tests().forEach((test, data) -> score(planned, run, test, data, scores));
        result.set(TRAINING, JSON.valueToTree(run.options()));
        result.set(SCORING, scoring(planned));
        AtomicFile.write(folder.resolve(RESULT), result.toPrettyString() + "\n");
        return result;
    }

    private static void deleteRun(Path folder) {
        try (Stream<Path> files = Files.walk(folder)) {
            for (Path file : files.sorted(Comparator.reverseOrder()).toList()) {
                Files.delete(file);
            }
        } catch (IOException e) {
            throw AtomicFile.cannotWrite(folder, e);
        }
    }

    private List<String> training(Plan.Run run) {
        List<String> train =
                new ArrayList<>(List.of("train", "--out", folder(run).toString(), "--json"));
        run.options().forEach((key, value) -> add(train, key, value));
        return train;
    }

    private Path outputs(Plan.Run run, String test) {
        return folder(run).resolve(test.isEmpty() ? "outputs.txt" : "outputs-" + test + ".txt");
    }

    private List<String> generation(Plan planned, Plan.Run run, String test, String data) {
        List<String> generate = new ArrayList<>(List.of(
                "generate",
                "--model",
                run.options().getOrDefault("model", ""),
                "--adapter",
                folder(run).resolve("adapter").toString(),
                "--data",
                data,
                "--distinct",
                "--out",
                outputs(run, test).toString()));
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
                "evaluate",
                "--hyps",
                outputs.toString(),
                "--data",
                data,
                "--json",
                "--metrics",
                String.join(",", planned.metrics())));
        for (String option : READING) {
            if (planned.generate().containsKey(option)) {
                evaluate.addAll(List.of("--" + option, planned.generate().get(option)));
            }
        }
        JsonNode scored = command(run, evaluate);
        planned.metrics()
                .forEach(metric -> scores.set(
                        Plan.score(metric, test),
                        scored.path("metrics").path(metric).path("score")));
    }

    private static void add(List<String> arguments, String option, String value) {
        if (value.equals("false")) {
            return;
        }
        arguments.add(value.equals("true") ? "--" + option : "--" + option + "=" + value);
    }

    /** Of all steps; 0 where none was taken. */
    private static double seconds(Path folder) {
        double[] sum = new double[1];
        new StepReader(folder.resolve(RunDirectory.METRICS))
                .read(line -> sum[0] += line.path("seconds").asDouble());
        return Math.round(1000 * sum[0]) / 1000.0;
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
            throw new InputException(
                    "%s: '%s' did not succeed (the line above says why)".formatted(run.folder(), arguments.getFirst()));
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
        List<SweepPage.Score> scores = new ArrayList<>();
        for (String name : planned.scores()) {
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
        SweepPage.Sweep sweep = new SweepPage.Sweep(
                planned.name(),
                planned.remark(),
                results.remark(),
                results.variants(),
                results.table(),
                results.table().getFirst().indexOf("runs"),
                results.claims(),
                planned.runs().stream()
                        .filter(run -> ended.containsKey(run.folder()))
                        .map(run -> shown(planned, run))
                        .toList());
        AtomicFile.write(out.resolve("report.html"), SweepPage.page(sweep, scores));
    }

    /** @param score a metric, or one and the name of a test */
    private static boolean higherIsBetter(String score) {
        return Arrays.stream(Metric.values())
                .filter(metric -> score.equals(metric.key()) || score.startsWith(metric.key() + "-"))
                .max(Comparator.comparingInt(metric -> metric.key().length()))
                .map(Metric::higherIsBetter)
                .orElse(true);
    }

    private SweepPage.Run shown(Plan planned, Plan.Run run) {
        Map<String, Path> files = new LinkedHashMap<>();
        files.put("report", folder(run).resolve("report.html"));
        planned.tests()
                .keySet()
                .forEach(test -> files.put(test.isEmpty() ? "outputs" : "outputs for " + test, outputs(run, test)));
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
                trained.computeIfAbsent(run.folder(), _ -> SweepPage.Trained.read(folder(run))));
    }
}
