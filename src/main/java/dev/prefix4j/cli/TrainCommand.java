package dev.prefix4j.cli;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.prefix4j.InputException;
import dev.prefix4j.gpt2.ConfigFile;
import dev.prefix4j.frozen.FrozenGpt2;
import dev.prefix4j.gpt2.Gpt2;
import dev.prefix4j.prefix.PeftAdapter;
import dev.prefix4j.prefix.Prefix;
import dev.prefix4j.prefix.PrefixEncoder;
import dev.prefix4j.prefix.PrefixEncoder.Reparametrization;
import dev.prefix4j.prefix.PrefixShape;
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
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.List;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.function.Consumer;
import org.bytedeco.pytorch.Device;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

@Command(name = "train", description = "Trains a prefix for a model on a data file.")
final class TrainCommand extends ConsoleCommand {
    /** Key of the fingerprint of the data in the run's configuration. */
    private static final String DATA_SHA256 = "data-sha256";

    @Spec
    CommandSpec spec;

    @Option(
            names = "--model",
            paramLabel = "MODEL",
            description = ModelOptions.DESCRIPTION)
    String model;

    @Option(names = "--data", paramLabel = "FILE", description = "Sources and targets to train on.")
    Path data;

    @Option(names = "--valid", paramLabel = "FILE", description = "Sources and targets to validate on.")
    Path valid;

    @Option(names = "--out", paramLabel = "DIR", required = true, description = "Folder for the run, new or empty.")
    Path out;

    @Option(names = "--limit", paramLabel = "N", description = "Read only the first N rows of --data.")
    Integer limit;

    @Option(names = "--valid-limit", paramLabel = "N", description = "Read only the first N rows of --valid.")
    Integer validLimit;

    @Option(
            names = "--max-source-tokens",
            paramLabel = "N",
            description = "Keep only the first N tokens of each source.")
    Integer maxSourceTokens;

    @Option(
            names = "--prefix-length",
            paramLabel = "N",
            defaultValue = "10",
            description = "Virtual tokens before each sequence.")
    int prefixLength;

    @Option(
            names = "--reparam",
            paramLabel = "R",
            defaultValue = "mlp",
            description = "mlp: a small network makes the prefix; direct: its numbers are trained themselves.")
    String reparam;

    @Option(names = "--hidden", paramLabel = "N", defaultValue = "512", description = "Width of the mlp.")
    int hidden;

    @Option(
            names = "--prefix-dropout",
            paramLabel = "X",
            defaultValue = "0",
            description = "Probability that a number of the prefix is zeroed in a step.")
    double prefixDropout;

    @Option(
            names = "--init",
            paramLabel = "I",
            description = "random, or words: what the model computes for --init-words.")
    String init;

    @Option(names = "--init-words", paramLabel = "S", description = "Words to start from, such as \"summarize the table\".")
    String initWords;

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

    @Option(names = "--resume", description = "Go on with the run in --out, with its options.")
    boolean resume;

    @Mixin
    DataOptionsMixin dataOptions;

    @Mixin
    PrecisionOption precision;

    @Option(
            names = "--recompute",
            description = "Keep only what enters each block and compute the rest again on the way back: less memory, more"
                    + " time.")
    boolean recompute;

    @Mixin
    RuntimeOptions runtimeOptions;

    TrainCommand(Console console) {
        super(console);
    }

    @Override
    public Integer call() {
        ConfigFile stored = null;
        if (model != null) {
            model = ModelName.anywhere(model); // as the run and its adapter keep it
        }
        if (resume) {
            stored = RunDirectory.readConfig(out);
            RunOptions.restore(spec, stored, out);
        } else {
            RunDirectory.requireNew(out);
            RunOptions.requireWritable(out);
        }
        if (model == null || data == null) {
            throw new ParameterException(
                    spec.commandLine(), "Missing required option: '" + (model == null ? "--model" : "--data") + "'");
        }
        if (steps != null && epochs != null && !resume) {
            throw new ParameterException(spec.commandLine(), "expected --steps or --epochs, found both");
        }
        if (steps != null && steps < 1) {
            throw new InputException("steps must be at least 1, was " + steps);
        }
        Reparametrization reparametrization = Reparametrization.parse(reparam);
        boolean fromWords = initFromWords();
        TrainConfig config = trainConfig();
        precision.parse();
        Device device = runtimeOptions.start();
        List<Example> training = dataOptions.read(data, limit);
        List<Example> validation = valid == null ? List.of() : dataOptions.read(valid, validLimit);
        try (TensorScope _ = new TensorScope()) {
            ModelOptions modelOptions = new ModelOptions();
            modelOptions.name = model;
            modelOptions.maxSourceTokens = maxSourceTokens;
            Gpt2 gpt2 = modelOptions.load(device, console);
            FrozenGpt2 frozen = precision.freeze(gpt2, recompute);
            PrefixShape shape = PrefixShape.of(prefixLength, gpt2.config());
            PrefixEncoder encoder = PrefixEncoder.create(reparametrization, shape, hidden, device);
            try (Tokenizer tokenizer = modelOptions.tokenizer(gpt2)) {
                List<Sequence> trainingSequences = modelOptions.encode(training, tokenizer, gpt2, prefixLength);
                List<Sequence> validationSequences = modelOptions.encode(validation, tokenizer, gpt2, prefixLength);
                if (fromWords && !resume) {
                    startFromWords(encoder, gpt2, tokenizer);
                }
                String fingerprint = fingerprint(trainingSequences);
                if (stored != null && !stored.text(DATA_SHA256, fingerprint).equals(fingerprint)) {
                    throw new InputException(
                            data + ": the training data has changed since the run in " + out + " began");
                }
                Sampler sampler = new GreedySampler(
                        frozen, tokenizer, validation.isEmpty() ? training : validation, modelOptions, prefixLength);
                try (RunDirectory run = resume
                        ? RunDirectory.open(out)
                        : RunDirectory.create(out, RunOptions.describe(spec).put(DATA_SHA256, fingerprint))) {
                    Trainer trainer = new Trainer(
                            frozen, encoder, config, trainingSequences, validationSequences, run, saver(run, reparametrization));
                    return train(trainer, sampler, gpt2, encoder, trainingSequences.size());
                }
            }
        }
    }

    private Consumer<Prefix> saver(RunDirectory run, Reparametrization reparametrization) {
        String base = ModelName.base(model);
        Optional<String> revision = ModelName.revision(model);
        return prefix -> PeftAdapter.save(prefix, run.adapter(), base, revision, reparametrization, hidden);
    }

    private int train(Trainer trainer, Sampler sampler, Gpt2 gpt2, PrefixEncoder encoder, int sequences) {
        console.say(
                "sequences: %,d, steps: %,d; training %,d numbers, keeping %,d of them; the model has %,d",
                sequences,
                trainer.totalSteps(),
                encoder.parameterCount(),
                (long) encoder.shape().length() * encoder.shape().rowWidth(),
                gpt2.parameterCount());
        try (Interruption interruption = new Interruption(console)) {
            TrainResult result;
            try (RunWatch watch = new RunWatch(
                    new TrainProgress(console), out, "train", runtimeOptions.device, tensorBoard, console)) {
                result = trainer.train(watch, sampler, interruption);
            }
            report(result);
        }
        return Main.OK;
    }

    private void report(TrainResult result) {
        if (!result.finished()) {
            console.say("stopped after step %,d; go on with: scripts/prefix4j train --resume --out %s", result.steps(), out);
        }
        if (json) {
            ObjectNode node = JSON.createObjectNode();
            node.put("steps", result.steps());
            put(node, "loss", result.loss());
            put(node, "valid_loss", result.validationLoss());
            put(node, "tokens_per_s", result.tokensPerSecond());
            node.put("adapter", result.adapter().toString());
            console.out().println(node);
            return;
        }
        int last = Math.min(TrainResult.LAST, result.steps());
        result.loss().ifPresent(loss -> console.out().printf("loss         %.4f (mean of the last %d steps)%n", loss, last));
        result.validationLoss().ifPresent(loss -> console.out().printf("validation   %.4f (best)%n", loss));
        result.tokensPerSecond().ifPresent(speed -> console.out().printf("speed        %,.0f tokens/s%n", speed));
        console.out().printf("adapter      %s%n", result.adapter());
        console.out().printf("report       %s%n", out.resolve("report.html"));
    }

    private static void put(ObjectNode node, String key, OptionalDouble value) {
        if (value.isPresent()) {
            node.put(key, value.getAsDouble());
        } else {
            node.putNull(key);
        }
    }

    private boolean initFromWords() {
        if (init != null && !init.equals("random") && !init.equals("words")) {
            throw new InputException("init: expected random or words, found '" + init + "'");
        }
        if ("words".equals(init) && initWords == null) {
            throw new InputException("init words: expected --init-words \"…\", found none");
        }
        if ("random".equals(init) && initWords != null) {
            throw new InputException("init: expected words where --init-words is given, found 'random'");
        }
        return initWords != null;
    }

    private void startFromWords(PrefixEncoder encoder, Gpt2 gpt2, Tokenizer tokenizer) {
        try (Prefix words = Prefix.ofWords(gpt2, tokenizer.encode(initWords), prefixLength)) {
            double difference = encoder.fit(words.vectors());
            console.say("prefix starts from \"%s\" (largest difference %.1e)", initWords, difference);
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
