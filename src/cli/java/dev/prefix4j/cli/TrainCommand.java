package dev.prefix4j.cli;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.prefix4j.InputException;
import dev.prefix4j.eval.Likelihood;
import dev.prefix4j.frozen.Conditioned;
import dev.prefix4j.method.AdapterFolder;
import dev.prefix4j.method.Fingerprint;
import dev.prefix4j.method.Freezer;
import dev.prefix4j.method.InContext;
import dev.prefix4j.method.Method;
import dev.prefix4j.method.Tuning;
import dev.prefix4j.model.BaseModel;
import dev.prefix4j.model.ConfigFile;
import dev.prefix4j.text.Example;
import dev.prefix4j.text.Sequence;
import dev.prefix4j.text.Tokenizer;
import dev.prefix4j.torch.TensorScope;
import dev.prefix4j.train.RunDirectory;
import dev.prefix4j.train.Sampler;
import dev.prefix4j.train.TrainConfig;
import dev.prefix4j.train.TrainResult;
import dev.prefix4j.train.Trainer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.Random;
import org.bytedeco.pytorch.Device;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

@Command(name = "train", description = "Adapts a model to a data file: trains a prefix, or what another method trains.")
final class TrainCommand extends ConsoleCommand {
    /** Key of the fingerprint of the data in the run's configuration. */
    private static final String DATA_SHA256 = "data-sha256";

    @Spec
    CommandSpec spec;

    @Option(names = "--model", paramLabel = "MODEL", description = ModelOptions.DESCRIPTION)
    String model;

    @Option(
            names = "--data",
            paramLabel = "FILE",
            description = "Sources and targets to train on, such as builtin:e2e/train.")
    Path data;

    @Option(names = "--valid", paramLabel = "FILE", description = "Sources and targets to validate on.")
    Path valid;

    @Option(names = "--out", paramLabel = "DIR", required = true, description = "Folder for the run, new or empty.")
    Path out;

    @Option(
            names = "--strict-base",
            description = "Refuse an adapter of --init-adapter or --teacher that was made for another model.")
    boolean strictBase;

    /** What the adapter is trained on. */
    private Fingerprint base;

    @Option(names = "--limit", paramLabel = "N", description = "Read only the first N rows of --data.")
    Integer limit;

    @Option(
            names = "--sample",
            paramLabel = "N",
            description = "Train on only N pairs of a source and a target, drawn from all over --data.")
    Integer sample;

    @Option(names = "--sample-seed", paramLabel = "N", description = "What is drawn; --seed by default.")
    Long sampleSeed;

    @Option(names = "--valid-limit", paramLabel = "N", description = "Read only the first N rows of --valid.")
    Integer validLimit;

    @Option(
            names = "--max-source-tokens",
            paramLabel = "N",
            description = "Keep only the first N tokens of each source.")
    Integer maxSourceTokens;

    @Option(
            names = "--prefix-dropout",
            paramLabel = "X",
            defaultValue = "0",
            description = "Probability that a number of the prefix is zeroed in a step.")
    double prefixDropout;

    @Option(names = "--epochs", paramLabel = "N", description = "Passes over the data; 1 without --steps.")
    Integer epochs;

    @Option(names = "--steps", paramLabel = "N", description = "Steps to take instead of --epochs.")
    Integer steps;

    @Option(names = "--batch-size", paramLabel = "N", defaultValue = "10", description = "Sequences in a batch.")
    int batchSize;

    @Option(names = "--accumulate", paramLabel = "N", defaultValue = "1", description = "Batches that make one step.")
    int accumulate;

    @Option(
            names = "--group-by-length",
            description = "Batches of like length: faster by a quarter, but the loss ends higher.")
    boolean groupByLength;

    @Option(names = "--lr", paramLabel = "X", defaultValue = "5e-5", description = "Learning rate after the warm-up.")
    double learningRate;

    @Option(
            names = "--warmup",
            paramLabel = "N",
            defaultValue = "0",
            description = "Steps over which the learning rate rises.")
    int warmup;

    @Option(names = "--weight-decay", paramLabel = "X", defaultValue = "0", description = "Of AdamW.")
    double weightDecay;

    @Option(
            names = "--clip",
            paramLabel = "X",
            defaultValue = "1",
            description = "Largest norm of the gradient; 0: no limit.")
    double clip;

    @Option(
            names = "--valid-every",
            paramLabel = "N",
            defaultValue = "0",
            description = "Steps between validations; 0: once an epoch.")
    int validEvery;

    @Option(
            names = "--patience",
            paramLabel = "N",
            defaultValue = "0",
            description = "Stop after N validations without a better loss; 0: never.")
    int patience;

    @Option(
            names = "--save-every",
            paramLabel = "N",
            defaultValue = "100",
            description = "Steps between saves of the state to resume from.")
    int saveEvery;

    @Option(
            names = "--tensorboard",
            description = "Write event files for TensorBoard to the folder tensorboard of the run.")
    boolean tensorBoard;

    @Option(
            names = "--resume",
            description =
                    "Go on with the run in --out, with its options. --steps, --epochs, --valid-every, --patience and"
                            + " --save-every may be given anew: a run that has ended goes on where there are more steps"
                            + " than before.")
    boolean resume;

    @Option(
            names = "--objective",
            paramLabel = "O",
            defaultValue = "token",
            description =
                    "Of a step: token: mean over target tokens; sentence: sum over each target, mean over the batch,"
                            + " as in the authors' code.")
    String objective;

    @Option(
            names = "--label-smoothing",
            paramLabel = "X",
            defaultValue = "0",
            description = "Share of each target's probability that all words have in equal parts.")
    double smoothing;

    @Option(
            names = "--teacher",
            paramLabel = "DIR",
            description =
                    "Adapter of the same model (a folder, or a name on the hub) whose predictions take the place of"
                            + " the targets (distillation).")
    Path teacher;

    @Option(
            names = "--recipe",
            paramLabel = "R",
            description =
                    "The paper's hyper-parameters for e2e, webnlg, dart or xsum, where options do not say otherwise"
                            + " (docs/recipes.md).")
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
            names = "--recompute",
            description =
                    "Keep only what enters each block and compute the rest again on the way back: less memory, more"
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
                    spec.commandLine(), "Missing required option: '" + (model == null ? "--model" : "--data") + "'");
        }
        if (steps != null && epochs != null) {
            throw new ParameterException(spec.commandLine(), "expected --steps or --epochs, found both");
        }
        if (sampleSeed != null && sample == null) {
            throw new ParameterException(spec.commandLine(), "--sample-seed: expected --sample with it, found none");
        }
        methodOptions.require(spec);
        if (recipe != null && !resume) {
            console.say("%s", Recipe.parse(recipe).train(spec, methodOptions.method, methodOptions.share()));
        }
        if (compat.authors() && !resume && !spec.commandLine().getParseResult().hasMatchedOption("--objective")) {
            objective = "sentence";
        }
        if (steps != null && steps < 1) {
            throw new InputException("steps must be at least 1, was " + steps);
        }
        initOptions.kind();
        if (!objective.equals("token") && !objective.equals("sentence")) {
            throw new InputException("objective: expected token or sentence, found '" + objective + "'");
        }
        if (data != null && data.toString().equals(DataOptionsMixin.STANDARD_INPUT)) {
            throw new InputException("--data -: expected a file, which --resume can read again, found standard input");
        }
        if (teacher != null && smoothing > 0) {
            throw new InputException("label-smoothing: expected 0 where --teacher is given, was " + smoothing);
        }
        trainConfig();
        precision.parse();
    }

    @Override
    public Integer call() {
        boolean folderWasThere = Files.isDirectory(out);
        ConfigFile stored = resume ? RunDirectory.readConfig(out) : null;
        if (model != null) {
            model = ModelName.anywhere(model); // as the run and its adapter keep it
        }
        if (resume) {
            RunOptions.restore(spec, stored, out);
        } else {
            RunDirectory.requireNew(out);
            RunOptions.requireWritable(out);
        }
        settle();
        TrainConfig config = trainConfig();
        Device device = runtimeOptions.start();
        List<Example> training = sampled(dataOptions.read(data, limit, compat.training()));
        List<Example> validation = valid == null ? List.of() : dataOptions.read(valid, validLimit, compat.training());
        try (TensorScope _ = new TensorScope()) {
            ModelOptions modelOptions = new ModelOptions();
            modelOptions.name = model;
            modelOptions.maxSourceTokens = maxSourceTokens;
            modelOptions.strictBase = strictBase;
            BaseModel gpt2 = modelOptions.load(device, console, precision.parse());
            Freezer freezer = (base, changes) -> precision.freeze(base, changes, recompute);
            try (Tokenizer tokenizer = modelOptions.tokenizer(gpt2)) {
                modelOptions.checkBase(initOptions.resolve(console), gpt2, tokenizer, console);
                Path teacherFolder = AdapterName.resolve(teacher, console);
                modelOptions.checkBase(teacherFolder, gpt2, tokenizer, console);
                base = Fingerprint.of(gpt2, tokenizer); // before training changes it
                if (methodOptions.isInContext()) {
                    return keepExamples(gpt2, freezer, tokenizer, modelOptions, training, validation);
                }
                Method method = methodOptions.method(gpt2.config(), 0);
                methodOptions.requireMemory(method, gpt2.config());
                Tuning tuning = method.tuning(gpt2, freezer, runtimeOptions.seed);
                int taken = tuning.taken();
                List<Sequence> trainingSequences =
                        modelOptions.encode(training, tokenizer, gpt2, taken, compat.training());
                List<Sequence> validationSequences =
                        modelOptions.encode(validation, tokenizer, gpt2, taken, compat.training());
                if (!resume) {
                    initOptions.start(tuning, gpt2, tokenizer, console);
                }
                String fingerprint = fingerprint(trainingSequences);
                if (stored != null && !stored.text(DATA_SHA256, fingerprint).equals(fingerprint)) {
                    throw new InputException(
                            data + ": the training data has changed since the run in " + out + " began");
                }
                Sampler sampler = new GreedySampler(
                        gpt2, tokenizer, validation.isEmpty() ? training : validation, modelOptions, taken);
                Optional<Conditioned> teaching = teacher == null
                        ? Optional.empty()
                        : Optional.of(teacher(
                                teacherFolder,
                                modelOptions.load(device, console, precision.parse()),
                                freezer,
                                trainingSequences));
                try (RunDirectory run = resume
                        ? RunDirectory.open(out)
                        : RunDirectory.create(out, RunOptions.describe(spec).put(DATA_SHA256, fingerprint))) {
                    try {
                        Trainer trainer = new Trainer(
                                tuning,
                                config,
                                trainingSequences,
                                validationSequences,
                                run,
                                () -> save(method, tuning, gpt2, run.adapter()));
                        teaching.ifPresent(trainer::learnFrom);
                        if (stored != null) {
                            boolean sameLength = sameLength(stored.json());
                            trainer.whenRestored(() -> {
                                run.rewriteConfig(RunOptions.resumed(spec, stored.json()));
                                if (!sameLength) {
                                    console.say(
                                            "another length: the learning rate falls to 0 at step %,d now, the new end",
                                            trainer.totalSteps());
                                }
                            });
                        }
                        return train(trainer, sampler, gpt2, method, trainingSequences.size());
                    } catch (RuntimeException e) {
                        if (!resume && !run.hasResults()) {
                            run.discardAll(folderWasThere);
                        }
                        throw e;
                    }
                }
            }
        }
    }

    private boolean sameLength(JsonNode stored) {
        return sameLength(stored.get("steps"), steps) && sameLength(stored.get("epochs"), epochs);
    }

    private static boolean sameLength(JsonNode stored, Integer now) {
        return now == null ? stored == null || stored.isNull() : stored != null && stored.asInt() == now;
    }

    private List<Example> sampled(List<Example> examples) {
        if (sample == null) {
            return examples;
        }
        return Example.sample(Example.pairs(examples), sample, sampleSeed == null ? runtimeOptions.seed : sampleSeed);
    }

    /** @param model that nothing else trains */
    private Conditioned teacher(Path folder, BaseModel model, Freezer freezer, List<Sequence> sequences) {
        AdapterFolder.Contents contents = AdapterFolder.load(folder, model.config(), model.device());
        Conditioned conditioned = contents.method().apply(model, freezer, contents.tensors());
        int longest = sequences.stream()
                .mapToInt(sequence -> sequence.ids().length)
                .max()
                .orElse(0);
        try {
            model.requireRoom(conditioned.taken(), longest, 0);
        } catch (InputException e) {
            throw new InputException("--teacher %s: %s".formatted(teacher, e.getMessage()), e);
        }
        return conditioned;
    }

    private void save(Method method, Tuning tuning, BaseModel gpt2, Path folder) {
        try (TensorScope _ = new TensorScope()) {
            save(method, tuning.stored(), gpt2, folder);
        }
    }

    private void save(Method method, Map<String, Tensor> tensors, BaseModel gpt2, Path folder) {
        AdapterFolder.save(method, tensors, gpt2.config(), folder, ModelName.base(model), ModelName.revision(model));
        base.write(folder);
    }

    /** Method in-context: some examples, drawn by the seed, and no training. */
    private int keepExamples(
            BaseModel gpt2,
            Freezer freezer,
            Tokenizer tokenizer,
            ModelOptions modelOptions,
            List<Example> training,
            List<Example> validation) {
        List<Sequence> all = new ArrayList<>(modelOptions.encode(training, tokenizer, gpt2, 0, compat.training()));
        Collections.shuffle(all, new Random(runtimeOptions.seed));
        int[] ids = all.stream()
                .limit(methodOptions.examples)
                .flatMapToInt(sequence -> Arrays.stream(sequence.ids()))
                .toArray();
        Method method = methodOptions.method(gpt2.config(), ids.length);
        console.say(
                "%d examples of %d tokens before each source; nothing is trained",
                Math.min(methodOptions.examples, all.size()), ids.length);
        OptionalDouble loss = OptionalDouble.empty();
        try (RunDirectory run = RunDirectory.create(out, RunOptions.describe(spec))) {
            Map<String, Tensor> kept = Map.of(
                    InContext.TOKENS,
                    gpt2.ids(Arrays.stream(ids).asLongStream().toArray()).to(torch.ScalarType.Float));
            Conditioned conditioned = method.apply(gpt2, freezer, kept);
            if (!validation.isEmpty()) {
                List<Sequence> sequences =
                        modelOptions.encode(validation, tokenizer, gpt2, conditioned.taken(), compat.training());
                Likelihood likelihood = Likelihood.of(conditioned, sequences, batchSize);
                loss = OptionalDouble.of(likelihood.loss());
                run.log(JSON.createObjectNode()
                        .put("step", 0)
                        .put("valid_loss", likelihood.loss())
                        .put("best", true));
            }
            save(method, kept, gpt2, run.adapter());
            report(new TrainResult(0, OptionalDouble.empty(), loss, OptionalDouble.empty(), run.adapter(), true));
        }
        return Main.OK;
    }

    private int train(Trainer trainer, Sampler sampler, BaseModel gpt2, Method method, int sequences) {
        try (Interruption interruption = new Interruption(console)) {
            TrainResult result;
            try (RunWatch watch = new RunWatch(
                    new TrainProgress(console, json) {
                        @Override
                        public void started(
                                int stepsDone, int total) { // not before a state to go on from has been read
                            console.say(
                                    "sequences: %,d, steps: %,d; training %,d parameters, keeping %,d; the model has"
                                            + " %,d",
                                    sequences,
                                    total,
                                    method.trainedNumbers(gpt2.config()),
                                    method.storedNumbers(gpt2.config()),
                                    gpt2.parameterCount());
                            super.started(stepsDone, total);
                        }
                    },
                    out,
                    "train",
                    runtimeOptions.device,
                    tensorBoard,
                    console)) {
                result = trainer.train(watch, sampler, interruption);
            }
            report(result);
        }
        return Main.OK;
    }

    private void report(TrainResult result) {
        if (!result.finished()) {
            console.say(
                    "stopped after step %,d; go on with: scripts/prefix4j train --resume --out %s",
                    result.steps(), out);
        }
        if (json) {
            ObjectNode node = JSON.createObjectNode();
            node.put("steps", result.steps());
            put(node, "loss", result.loss());
            put(node, "valid_loss", result.validationLoss());
            put(node, "tokens_per_s", result.tokensPerSecond());
            node.put("finished", result.finished());
            node.put("adapter", result.adapter().toString());
            console.out().println(node);
            return;
        }
        int last = Math.min(TrainResult.LAST, result.steps());
        result.loss()
                .ifPresent(loss -> console.out().printf("loss         %.4f (mean of the last %d steps)%n", loss, last));
        result.validationLoss().ifPresent(loss -> console.out().printf("validation   %.4f (best)%n", loss));
        result.tokensPerSecond().ifPresent(speed -> console.out().printf("speed        %,.0f tokens/s%n", speed));
        console.out()
                .printf(
                        "adapter      %s%s%n",
                        result.adapter(), Files.isDirectory(result.adapter()) ? "" : ", after the first validation");
        if (result.steps() > 0) {
            console.out().printf("report       %s%n", out.resolve("report.html"));
        }
    }

    private static void put(ObjectNode node, String key, OptionalDouble value) {
        if (value.isPresent()) {
            node.put(key, value.getAsDouble());
        } else {
            node.putNull(key);
        }
    }

    private TrainConfig trainConfig() {
        return new TrainConfig(
                steps == null ? 0 : steps,
                steps != null ? 0 : epochs == null ? 1 : epochs,
                batchSize,
                accumulate,
                groupByLength,
                learningRate,
                warmup,
                weightDecay,
                clip,
                objective.equals("sentence"),
                smoothing,
                prefixDropout,
                validEvery,
                patience,
                saveEvery,
                runtimeOptions.seed);
    }

    /** SHA-256 of the ids: whether it is the same data, whatever file it is in. */
    private static String fingerprint(List<Sequence> sequences) {
        try {
            MessageDigest digest = MessageDigest.getInstance("SHA-256");
            for (Sequence sequence : sequences) {
                digest.update(sequence.toString().getBytes(StandardCharsets.UTF_8));
            }
            return HexFormat.of().formatHex(digest.digest());
        } catch (NoSuchAlgorithmException e) {
            throw new AssertionError(e);
        }
    }
}
