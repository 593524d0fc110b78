package dev.prefix4j.cli;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.prefix4j.InputException;
import dev.prefix4j.method.Method;
import dev.prefix4j.model.ConfigFile;
import dev.prefix4j.task.ContextRun;
import dev.prefix4j.task.Encoding;
import dev.prefix4j.task.Engine;
import dev.prefix4j.task.LanguageModel;
import dev.prefix4j.task.ModelName;
import dev.prefix4j.task.TrainingRun;
import dev.prefix4j.text.Example;
import dev.prefix4j.train.RunDirectory;
import dev.prefix4j.train.TrainConfig;
import dev.prefix4j.train.TrainResult;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Objects;
import java.util.OptionalDouble;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

@Command(
        name = "train",
        description = "Adapts a model to a data file: trains a prefix, or the parameters of another method.")
final class TrainCommand extends ConsoleCommand {
    /** Key of the data's fingerprint in the run's configuration. */
    private static final String DATA_SHA256 = "data-sha256";

    @Spec
    CommandSpec spec;

    @Option(names = OptionNames.MODEL, paramLabel = "MODEL", description = ModelOptions.DESCRIPTION)
    @Nullable
    String model;

    @Option(
            names = OptionNames.DATA,
            paramLabel = "FILE",
            description = "Sources and targets to train on, such as builtin:e2e/train.")
    @Nullable
    Path data;

    @Option(names = OptionNames.VALID, paramLabel = "FILE", description = "Sources and targets to validate on.")
    @Nullable
    Path valid;

    @Option(
            names = OptionNames.OUT,
            paramLabel = "DIR",
            required = true,
            description = "Folder for the run, new or empty.")
    Path out;

    @Option(
            names = OptionNames.STRICT_BASE,
            description = "Refuse an adapter of --init-adapter or --teacher that was made for another model.")
    boolean strictBase;

    @Option(names = OptionNames.LIMIT, paramLabel = "N", description = "Read only the first N rows of --data.")
    @Nullable
    Integer limit;

    @Option(
            names = OptionNames.SAMPLE,
            paramLabel = "N",
            description = "Train on only N pairs of a source and a target, drawn at random from --data.")
    @Nullable
    Integer sample;

    @Option(names = OptionNames.SAMPLE_SEED, paramLabel = "N", description = "Seed of --sample; --seed by default.")
    @Nullable
    Long sampleSeed;

    @Option(names = OptionNames.VALID_LIMIT, paramLabel = "N", description = "Read only the first N rows of --valid.")
    @Nullable
    Integer validLimit;

    @Option(
            names = OptionNames.MAX_SOURCE_TOKENS,
            paramLabel = "N",
            description = "Keep only the first N tokens of each source.")
    @Nullable
    Integer maxSourceTokens;

    @Mixin
    TrainConfigOptions configOptions;

    @Option(
            names = OptionNames.TENSORBOARD,
            description = "Write event files for TensorBoard to the folder tensorboard of the run.")
    boolean tensorBoard;

    @Option(
            names = OptionNames.RESUME,
            description = "Resume the run in --out, with its options. --steps, --epochs, --valid-every, --patience and"
                    + " --save-every may change: a run that has ended continues if it now has more steps than"
                    + " before.")
    boolean resume;

    @Option(
            names = OptionNames.TEACHER,
            paramLabel = "DIR",
            description =
                    "Adapter of the same model (a folder, or a name on the hub) whose predictions replace the targets"
                            + " (distillation).")
    @Nullable
    Path teacher;

    @Option(
            names = OptionNames.RECIPE,
            paramLabel = "R",
            description = "Use the paper's hyperparameters for e2e, webnlg, dart or xsum, unless options say otherwise"
                    + " (docs/recipes.md).")
    @Nullable
    String recipe;

    @Mixin
    CompatOption compat;

    @Mixin
    MethodOptions methodOptions;

    @Mixin
    InitOptions initOptions;

    @Mixin
    DataOptionsMixin dataOptions;

    @Mixin
    PrecisionOption precision;

    @Option(
            names = OptionNames.RECOMPUTE,
            description =
                    "Store only the input of each block and recompute the rest in the backward pass: less memory, more"
                            + " time.")
    boolean recompute;

    @Mixin
    RuntimeOptions runtimeOptions;

    TrainCommand(Console console) {
        super(console);
    }

    @Override
    void settle() {
        if (model == null || data == null) {
            throw new ParameterException(
                    spec.commandLine(),
                    "Missing required option: '" + (model == null ? OptionNames.MODEL : OptionNames.DATA) + "'");
        }
        configOptions.requireOneLength(spec);
        if (sampleSeed != null && sample == null) {
            throw new ParameterException(spec.commandLine(), "--sample-seed: expected --sample with it, found none");
        }
        methodOptions.require(spec);
        if (recipe != null && !resume) {
            console.say("%s", Recipe.parse(recipe).train(spec, methodOptions.method, methodOptions.share()));
        }
        configOptions.settle(spec, compat.authors() && !resume);
        initOptions.kind();
        if (data.toString().equals(DataOptionsMixin.STANDARD_INPUT)) {
            throw new InputException("--data -: expected a file, which --resume can read again, found standard input");
        }
        if (teacher != null && configOptions.smoothing > 0) {
            throw new InputException("label-smoothing: expected 0 with --teacher, was " + configOptions.smoothing);
        }
        configOptions.config(runtimeOptions.seed);
        engine();
        encoding();
    }

    private Engine engine() {
        return precision.parse().recomputing(recompute);
    }

    private Encoding encoding() {
        return ModelOptions.encoding(compat.training(), maxSourceTokens);
    }

    @Override
    public Integer call() {
        train(this::report);
        return Main.OK;
    }

    /**
     * Trains, without printing the result.
     *
     * @param ended receives the result, while a request to stop still waits
     */
    TrainResult train(Consumer<TrainResult> ended) {
        boolean folderWasThere = Files.isDirectory(out);
        ConfigFile stored = resume ? RunDirectory.readConfig(out) : null;
        if (model != null) {
            model = ModelName.anywhere(model); // as the run and its adapter store it
        }
        if (stored != null) {
            RunOptions.restore(spec, stored, out);
        } else {
            RunDirectory.requireNew(out);
            RunOptions.requireWritable(out);
        }
        settle();
        runtimeOptions.start();
        List<Example> training =
                sampled(dataOptions.read(Objects.requireNonNull(data, "settled"), limit, compat.training()));
        List<Example> validation = valid == null ? List.of() : dataOptions.read(valid, validLimit, compat.training());
        String name = Objects.requireNonNull(model, "settled");
        try (LanguageModel base = console.models().load(name, runtimeOptions.device, engine())) {
            Path initFolder = initOptions.resolve(console);
            ModelOptions.checkBase(initFolder, base, strictBase, console);
            Path teacherFolder = AdapterOption.resolve(teacher, console);
            ModelOptions.checkBase(teacherFolder, base, strictBase, console);
            if (methodOptions.isInContext()) {
                TrainResult result = keepExamples(base, training, validation);
                ended.accept(result);
                return result;
            }
            Method method = methodOptions.method(base.config());
            methodOptions.requireMemory(method, base.config());
            TrainConfig config = configOptions.config(runtimeOptions.seed);
            TrainingRun.Setup setup = new TrainingRun.Setup(method, config, engine(), encoding());
            try (TrainingRun run = new TrainingRun(base, setup, training, validation)) {
                if (!resume) {
                    initOptions.start(run, initFolder, console);
                }
                requireSameData(run, stored);
                if (teacher != null && teacherFolder != null) {
                    run.learnFrom(teacherFolder, teacher);
                }
                return train(run, stored, folderWasThere, ended);
            }
        }
    }

    private List<Example> sampled(List<Example> examples) {
        if (sample == null) {
            return examples;
        }
        return Example.sample(Example.pairs(examples), sample, sampleSeed == null ? runtimeOptions.seed : sampleSeed);
    }

    /** @param stored configuration of the run that is resumed; null: a new run */
    private void requireSameData(TrainingRun run, @Nullable ConfigFile stored) {
        String fingerprint = run.dataFingerprint();
        if (stored != null && !stored.text(DATA_SHA256, fingerprint).equals(fingerprint)) {
            throw new InputException(data + ": the training data has changed since the run in " + out + " began");
        }
    }

    private TrainResult train(
            TrainingRun training, @Nullable ConfigFile stored, boolean folderWasThere, Consumer<TrainResult> ended) {
        try (RunDirectory run = resume
                ? RunDirectory.open(out)
                : RunDirectory.create(out, RunOptions.describe(spec).put(DATA_SHA256, training.dataFingerprint()))) {
            if (stored != null) {
                training.whenRestored(total -> restored(run, stored.json(), total));
            }
            try (Interruption interruption = new Interruption(console)) {
                TrainResult result;
                try (RunWatch watch =
                        new RunWatch(progress(training), out, "train", runtimeOptions.device, tensorBoard, console)) {
                    result = training.train(run, watch, interruption);
                }
                if (!result.finished()) {
                    console.say(
                            "stopped after step %,d; resume with: scripts/prefix4j train --resume --out %s",
                            result.steps(), out);
                }
                ended.accept(result);
                return result;
            } catch (RuntimeException e) {
                if (!resume && !run.hasResults()) {
                    run.discardAll(folderWasThere);
                }
                throw e;
            }
        }
    }

    /** The run resumes, with the length that is now requested. */
    private void restored(RunDirectory run, JsonNode stored, int total) {
        run.rewriteConfig(RunOptions.resumed(spec, stored));
        if (!configOptions.isAsLongAs(stored)) {
            console.say("new length: the learning rate now falls to 0 at step %,d", total);
        }
    }

    private TrainProgress progress(TrainingRun training) {
        return new TrainProgress(console, json) {
            @Override
            public void started(int stepsDone, int total) { // not before the state to resume from has been read
                console.say(
                        "sequences: %,d, steps: %,d; training %,d parameters, storing %,d; the model has %,d",
                        training.sequences(),
                        total,
                        training.trainedParameters(),
                        training.keptParameters(),
                        training.model().base().parameterCount());
                super.started(stepsDone, total);
            }
        };
    }

    /** The in-context method: a few examples, drawn with the seed, and no training. */
    private TrainResult keepExamples(LanguageModel base, List<Example> training, List<Example> validation) {
        ContextRun context =
                new ContextRun(base, engine(), encoding(), training, methodOptions.examples, runtimeOptions.seed);
        console.say(
                "%d examples with %d tokens before each source; nothing is trained",
                context.examples(), context.tokens());
        try (RunDirectory run = RunDirectory.create(out, RunOptions.describe(spec))) {
            return context.write(run, validation, configOptions.batchSize);
        }
    }

    /** A result as an object. */
    static ObjectNode node(TrainResult result) {
        ObjectNode node = JSON.createObjectNode();
        node.put("steps", result.steps());
        put(node, "loss", result.loss());
        put(node, "valid_loss", result.validationLoss());
        put(node, "tokens_per_s", result.tokensPerSecond());
        node.put("finished", result.finished());
        return node.put("adapter", result.adapter().orElseThrow().toString());
    }

    private static void put(ObjectNode node, String key, OptionalDouble value) {
        if (value.isPresent()) {
            node.put(key, value.getAsDouble());
        } else {
            node.putNull(key);
        }
    }

    private void report(TrainResult result) {
        if (json) {
            console.out().println(node(result));
            return;
        }
        int last = Math.min(TrainResult.LAST, result.steps());
        result.loss()
                .ifPresent(loss -> console.out().printf("loss         %.4f (mean of the last %d steps)%n", loss, last));
        result.validationLoss().ifPresent(loss -> console.out().printf("validation   %.4f (best)%n", loss));
        result.tokensPerSecond().ifPresent(speed -> console.out().printf("speed        %,.0f tokens/s%n", speed));
        Path adapter = result.adapter().orElseThrow();
        console.out()
                .printf(
                        "adapter      %s%s%n",
                        adapter, Files.isDirectory(adapter) ? "" : ", not written before the first validation");
        if (result.steps() > 0) {
            console.out().printf("report       %s%n", out.resolve("report.html"));
        }
    }
}
