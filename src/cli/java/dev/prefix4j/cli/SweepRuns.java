package dev.prefix4j.cli;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.prefix4j.AtomicFile;
import dev.prefix4j.InputException;
import dev.prefix4j.JsonFile;
import dev.prefix4j.eval.Metric;
import dev.prefix4j.experiment.Plan;
import dev.prefix4j.task.Evaluation;
import dev.prefix4j.train.RunDirectory;
import dev.prefix4j.train.StepReader;
import dev.prefix4j.train.TrainResult;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/** The runs of a plan, in a folder: tells how far each is, and completes it. */
final class SweepRuns {
    private static final String RESULT = "result.json";

    /** Key of a result: the training options that it was made with. */
    private static final String TRAINING = "options";

    private static final String SCORING = "scoring";
    private static final long MAX_RESULT_BYTES = 1 << 20;

    /** Options of generate that say what is read, which evaluate needs too. */
    private static final List<String> READING = Stream.of(
                    OptionNames.LIMIT,
                    OptionNames.FORMAT,
                    OptionNames.SOURCE_FIELD,
                    OptionNames.TARGET_FIELD,
                    OptionNames.LANG)
            .map(OptionNames::key)
            .toList();

    private final Plan plan;
    private final Path out;
    private final Console console;

    SweepRuns(Plan plan, Path out, Console console) {
        this.plan = plan;
        this.out = out;
        this.console = console;
    }

    /** How far a run is. */
    enum Progress {
        TO_DO("to do"),
        BEGUN("begun"),
        TO_SCORE("to score"),
        ENDED("ended");

        final String label;

        Progress(String label) {
            this.label = label;
        }
    }

    /** The result of a run that has ended. */
    JsonNode result(Plan.Run run) {
        return JsonFile.readObject(folder(run).resolve(RESULT), "the result of a run", MAX_RESULT_BYTES);
    }

    /** @throws InputException if the run in the folder was trained with other options */
    Progress progress(Plan.Run run) {
        if (!Files.isRegularFile(folder(run).resolve(RESULT))) {
            return Files.isRegularFile(folder(run).resolve(RunDirectory.CONFIG)) ? Progress.BEGUN : Progress.TO_DO;
        }
        JsonNode result = result(run);
        if (!result.path(TRAINING).equals(ConsoleCommand.JSON.valueToTree(run.options()))) {
            throw new InputException(
                    "%s: expected a run with the plan's options %s, found %s: choose another --out or delete this folder"
                            .formatted(
                                    folder(run),
                                    ConsoleCommand.JSON.valueToTree(run.options()),
                                    result.path(TRAINING)));
        }
        return result.path(SCORING).equals(scoring()) ? Progress.ENDED : Progress.TO_SCORE;
    }

    /** What determines the scores, apart from training. */
    private JsonNode scoring() {
        ObjectNode node = ConsoleCommand.JSON.createObjectNode();
        node.set("test", ConsoleCommand.JSON.valueToTree(plan.tests()));
        node.set("generate", ConsoleCommand.JSON.valueToTree(plan.generate()));
        node.set("metrics", ConsoleCommand.JSON.valueToTree(plan.metrics()));
        return node;
    }

    /** The folder of a run. */
    Path folder(Plan.Run run) {
        return out.resolve("runs").resolve(run.folder());
    }

    /** @return its result; null if it was interrupted */
    @Nullable
    JsonNode run(Plan.Run run) {
        Path folder = folder(run);
        JsonNode trained;
        double seconds;
        if (progress(run) == Progress.TO_SCORE) {
            trained = result(run).path("train");
            seconds = result(run).path("train_seconds").asDouble();
        } else {
            List<String> train = training(run);
            if (progress(run) == Progress.BEGUN) {
                if ("in-context".equals(run.options().get(OptionNames.key(OptionNames.METHOD)))) {
                    deleteRun(folder); // there is nothing to resume
                } else {
                    train.add(OptionNames.RESUME); // the options given again must agree
                }
            }
            TrainResult ended = work(run, train, TrainCommand.class, command -> command.train(_ -> {}));
            if (!ended.finished()) {
                return null;
            }
            trained = TrainCommand.node(ended);
            seconds = seconds(folder);
        }
        ObjectNode result = ConsoleCommand.JSON.createObjectNode();
        result.set("train", trained);
        result.put("train_seconds", seconds);
        ObjectNode scores = result.putObject("scores");
        plan.tests().forEach((test, data) -> score(run, test, data, scores));
        result.set(TRAINING, ConsoleCommand.JSON.valueToTree(run.options()));
        result.set(SCORING, scoring());
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

    List<String> training(Plan.Run run) {
        List<String> train =
                new ArrayList<>(List.of("train", OptionNames.OUT, folder(run).toString(), OptionNames.JSON));
        run.options().forEach((key, value) -> add(train, key, value));
        return train;
    }

    Path outputs(Plan.Run run, String test) {
        return folder(run).resolve(test.isEmpty() ? "outputs.txt" : "outputs-" + test + ".txt");
    }

    List<String> generation(Plan.Run run, String test, String data) {
        List<String> generate = new ArrayList<>(List.of(
                "generate",
                OptionNames.MODEL,
                run.options().getOrDefault(OptionNames.key(OptionNames.MODEL), ""),
                OptionNames.ADAPTER,
                folder(run).resolve("adapter").toString(),
                OptionNames.DATA,
                data,
                OptionNames.DISTINCT,
                OptionNames.OUT,
                outputs(run, test).toString()));
        Map<String, String> options = new LinkedHashMap<>(plan.generate());
        String compat = OptionNames.key(OptionNames.COMPAT);
        if (run.options().containsKey(compat)) {
            options.putIfAbsent(compat, run.options().get(compat)); // read as it was trained
        }
        options.forEach((key, value) -> add(generate, key, value));
        return generate;
    }

    /** Generates and evaluates for one test. */
    private void score(Plan.Run run, String test, String data, ObjectNode scores) {
        Path outputs = outputs(run, test);
        work(run, generation(run, test, data), GenerateCommand.class, GenerateCommand::write);
        List<String> evaluate = new ArrayList<>(List.of(
                "evaluate",
                OptionNames.HYPS,
                outputs.toString(),
                OptionNames.DATA,
                data,
                OptionNames.METRICS,
                String.join(",", plan.metrics())));
        for (String option : READING) {
            if (plan.generate().containsKey(option)) {
                evaluate.addAll(List.of("--" + option, plan.generate().get(option)));
            }
        }
        Evaluation evaluation = work(run, evaluate, EvaluateCommand.class, EvaluateCommand::evaluate);
        plan.metrics()
                .forEach(metric -> scores.put(
                        Plan.score(metric, test),
                        evaluation.score(Metric.parse(metric).iterator().next())));
    }

    private static void add(List<String> arguments, String option, String value) {
        if (value.equals("false")) {
            return;
        }
        arguments.add(value.equals("true") ? "--" + option : "--" + option + "=" + value);
    }

    /** The duration of all steps; 0 if none was taken. */
    private static double seconds(Path folder) {
        double[] sum = new double[1];
        new StepReader(folder.resolve(RunDirectory.METRICS))
                .read(line -> sum[0] += line.path("seconds").asDouble());
        return Math.round(1000 * sum[0]) / 1000.0;
    }

    /** Lets another command do its work, which reports its errors itself. */
    private <C extends ConsoleCommand, T> T work(
            Plan.Run run, List<String> arguments, Class<C> type, Function<C, T> work) {
        return Main.perform(console, arguments, type, work)
                .orElseThrow(() -> new InputException(
                        "%s: '%s' failed (the line above says why)".formatted(run.folder(), arguments.getFirst())));
    }
}
