package dev.prefix4j.cli;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.prefix4j.AtomicFile;
import dev.prefix4j.InputException;
import dev.prefix4j.eval.TextLikelihood;
import dev.prefix4j.generate.Decoding;
import dev.prefix4j.generate.Generation;
import dev.prefix4j.generate.Generator;
import dev.prefix4j.model.BaseModel;
import dev.prefix4j.pretrain.Gpt2Models;
import dev.prefix4j.pretrain.Mixture;
import dev.prefix4j.pretrain.PretrainConfig;
import dev.prefix4j.pretrain.Pretrainer;
import dev.prefix4j.pretrain.TokenCorpus;
import dev.prefix4j.text.BpeTrainer;
import dev.prefix4j.text.Documents;
import dev.prefix4j.text.RunningText;
import dev.prefix4j.text.Tokenizer;
import dev.prefix4j.torch.TensorScope;
import dev.prefix4j.torch.TorchRuntime;
import dev.prefix4j.train.RunDirectory;
import dev.prefix4j.train.Sample;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import org.bytedeco.pytorch.Device;
import org.bytedeco.pytorch.global.torch;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

@Command(name = "pretrain", description = "Trains a small GPT-2 on plain text, from scratch or from a model.")
final class PretrainCommand extends ConsoleCommand {
    private static final int SAMPLE_TOKENS = 60;
    private static final double SAMPLE_TEMPERATURE = 0.8;
    private static final int SAMPLE_TOP_K = 40;

    @Spec
    CommandSpec spec;

    @Option(
            names = "--data",
            paramLabel = "FILE",
            arity = "1..*",
            description = "Text files (.txt, also .gz, .xz); a line <|endoftext|> separates documents.")
    List<Path> data;

    @Option(names = "--valid", paramLabel = "FILE", description = "Text to validate on.")
    Path valid;

    @Option(names = "--out", paramLabel = "DIR", required = true, description = "Folder for the run, new or empty.")
    Path out;

    @Option(
            names = "--from",
            paramLabel = "MODEL",
            description = "Go on from this model, with its geometry and tokenizer: a folder, builtin:tiny or a name of"
                    + " the hub.")
    String from;

    @Option(
            names = "--tokenizer",
            paramLabel = "DIR",
            description = "Folder with the tokenizer to use; by default one is learned from the data.")
    Path tokenizerFolder;

    @Option(
            names = "--vocab-size",
            paramLabel = "N",
            description = "Tokens of the byte-level BPE that is learned; 8192 without --tokenizer.")
    Integer vocabularySize;

    @Option(names = "--layers", paramLabel = "N", defaultValue = "6", description = "Blocks.")
    int layers;

    @Option(names = "--heads", paramLabel = "N", defaultValue = "4", description = "Attention heads.")
    int heads;

    @Option(names = "--width", paramLabel = "N", defaultValue = "256", description = "Width of the model.")
    int width;

    @Option(
            names = "--positions",
            paramLabel = "N",
            defaultValue = "512",
            description = "Tokens that it reads at once.")
    int positions;

    @Option(
            names = "--init",
            paramLabel = "I",
            defaultValue = "copying",
            description =
                    "First weights. random: GPT-2's; copying: with attention heads that repeat what has been read.")
    String init;

    @Option(
            names = "--mixture",
            paramLabel = "M",
            defaultValue = "prose=1.0",
            description = "Shares of prose, repeats, sentences and facts, such as prose=0.7,facts=0.3.")
    String mixture;

    @Option(names = "--steps", paramLabel = "N", description = "Steps to take.")
    Integer steps;

    @Option(names = "--minutes", paramLabel = "X", description = "Minutes to train instead of --steps.")
    Double minutes;

    @Option(names = "--batch-size", paramLabel = "N", defaultValue = "8", description = "Rows in a step.")
    int batchSize;

    @Option(
            names = "--rows-at-once",
            paramLabel = "N",
            defaultValue = "2",
            description = "Rows side by side; the gradients of a step are summed.")
    int rowsAtOnce;

    @Option(names = "--lr", paramLabel = "X", defaultValue = "2e-3", description = "Learning rate after the warm-up.")
    double learningRate;

    @Option(
            names = "--muon-lr",
            paramLabel = "X",
            defaultValue = "0",
            description = "Learning rate of Muon for the matrices of the blocks, such as 0.02; 0: AdamW for all.")
    double muonLearningRate;

    @Option(
            names = "--final-lr",
            paramLabel = "X",
            defaultValue = "0.05",
            description = "Learning rate at the end of the cosine, as a share.")
    double finalLearningRate;

    @Option(names = "--warmup", paramLabel = "N", defaultValue = "200", description = "Steps of rising learning rate.")
    int warmup;

    @Option(names = "--weight-decay", paramLabel = "X", defaultValue = "0.1", description = "Of matrices.")
    double weightDecay;

    @Option(names = "--beta2", paramLabel = "X", defaultValue = "0.95", description = "Of AdamW.")
    double beta2;

    @Option(
            names = "--clip",
            paramLabel = "X",
            defaultValue = "1",
            description = "Largest norm of the gradient; 0: no limit.")
    double clip;

    @Option(
            names = "--matmul-precision",
            paramLabel = "P",
            defaultValue = "highest",
            description = "highest: float32; medium: factors rounded to bfloat16, where that is faster.")
    String matmulPrecision;

    @Option(names = "--valid-every", paramLabel = "N", defaultValue = "250", description = "Steps between validations.")
    int validEvery;

    @Option(
            names = "--save-every",
            paramLabel = "N",
            defaultValue = "250",
            description = "Steps between saves of the state to resume from.")
    int saveEvery;

    @Mixin
    DtypeOption dtype;

    @Option(
            names = "--prompt",
            paramLabel = "S",
            arity = "1..*",
            description = "Begin the samples that are shown after each validation with this.")
    List<String> prompts;

    @Option(
            names = "--tensorboard",
            description = "Write event files for TensorBoard to the folder tensorboard of the run.")
    boolean tensorBoard;

    @Option(names = "--resume", description = "Go on with the run in --out, with its options.")
    boolean resume;

    @Mixin
    RuntimeOptions runtimeOptions;

    /** Folder of {@link #from}; null: from scratch. */
    private Path source;

    PretrainCommand(Console console) {
        super(console);
    }

    @Override
    public Integer call() {
        if (resume) {
            RunOptions.restore(spec, RunDirectory.readConfig(out), out);
        } else {
            RunDirectory.requireNew(out);
            RunOptions.requireWritable(out);
        }
        if (data == null) {
            throw new ParameterException(spec.commandLine(), "Missing required option: '--data'");
        }
        if (tokenizerFolder != null && vocabularySize != null && !resume) {
            throw new ParameterException(spec.commandLine(), "expected --tokenizer or --vocab-size, found both");
        }
        if (from != null) {
            if (!resume) {
                requireNoGeometry();
            }
            from = ModelName.anywhere(from);
        }
        PretrainConfig config = config();
        geometry(1, 0).require(); // before anything is made
        requireMemory();
        if (!init.equals("copying") && !init.equals("random")) {
            throw new InputException("init: expected copying or random, found '" + init + "'");
        }
        for (Path file : data) {
            Documents.requireFile(file);
        }
        if (valid != null) {
            Documents.requireFile(valid);
        }
        torch.ScalarType type = dtype.parse();
        TorchRuntime.MatmulPrecision precision = TorchRuntime.MatmulPrecision.parse(matmulPrecision);
        if (from != null) {
            source = ModelName.resolve(from, console);
            tokenizerFolder = source;
            positions = Gpt2Models.read(source).positions();
        }
        Device device = runtimeOptions.start();
        TorchRuntime.matmulPrecision(precision);
        try (RunDirectory run = resume ? RunDirectory.open(out) : RunDirectory.create(out, RunOptions.describe(spec))) {
            return train(config, type, device, run);
        }
    }

    private int train(PretrainConfig config, torch.ScalarType type, Device device, RunDirectory run) {
        Path folder = out.resolve("model");
        Path tokens = out.resolve("tokens.safetensors");
        try {
            prepare(folder, tokens);
        } catch (RuntimeException e) {
            if (!resume) {
                run.discard(folder.resolve("tokenizer.json"), folder, tokens);
            }
            throw e;
        }
        try (TensorScope _ = new TensorScope();
                Tokenizer tokenizer = Tokenizer.load(folder)) {
            int eos = tokenizer.id(Documents.SEPARATOR);
            try (TokenCorpus corpus = TokenCorpus.open(tokens)) {
                TorchRuntime.seed(runtimeOptions.seed);
                BaseModel model = firstModel(tokenizer, corpus, device);
                Mixture rows = new Mixture(corpus, tokenizer, eos, config.mixture(), positions, config.seed());
                console.say(
                        "%,d documents, %,d tokens (%.2f bytes each); %,d weights; %s",
                        corpus.documents(),
                        corpus.tokens(),
                        (double) corpus.bytes() / corpus.tokens(),
                        model.parameterCount(),
                        Mixture.format(config.mixture()));
                RunningText validation =
                        valid == null ? new RunningText(new int[0], 0) : RunningText.encode(valid, tokenizer, eos);
                Pretrainer pretrainer = new Pretrainer(
                        model, config, rows, validation, run, () -> Gpt2Models.save(model, folder, type));
                try (Interruption interruption = new Interruption(console)) {
                    Pretrainer.Result result;
                    try (RunWatch watch = new RunWatch(
                            new SamplingProgress(model, tokenizer, run),
                            out,
                            "pretrain",
                            runtimeOptions.device,
                            tensorBoard,
                            console)) {
                        result = pretrainer.train(watch, interruption);
                    }
                    report(result, folder);
                }
            }
        }
        return Main.OK;
    }

    private BaseModel firstModel(Tokenizer tokenizer, TokenCorpus corpus, Device device) {
        if (source != null) {
            return Gpt2Models.load(source, device);
        }
        BaseModel model =
                Gpt2Models.create(geometry(tokenizer.vocabularySize(), tokenizer.id(Documents.SEPARATOR)), device);
        if (init.equals("copying")) {
            Pretrainer.startCopying(model, corpus);
        }
        return model;
    }

    /** Refuses what {@code --from} decides. */
    private void requireNoGeometry() {
        for (String name :
                List.of("--tokenizer", "--vocab-size", "--layers", "--heads", "--width", "--positions", "--init")) {
            if (spec.commandLine().getParseResult().hasMatchedOption(name)) {
                throw new ParameterException(
                        spec.commandLine(), "expected no " + name + " beside --from, which decides it");
            }
        }
    }

    /** Makes tokenizer and tokens where they are not there yet. */
    private void prepare(Path folder, Path tokens) {
        AtomicFile.createFolder(folder);
        Path tokenizerFile = folder.resolve("tokenizer.json");
        if (!Files.exists(tokenizerFile)) {
            makeTokenizer(tokenizerFile);
        }
        if (!Files.exists(tokens)) {
            console.say("encoding the text, once for this run");
            try (Tokenizer tokenizer = Tokenizer.load(folder)) {
                TokenCorpus.encode(data, tokenizer, tokenizer.id(Documents.SEPARATOR), tokens)
                        .close();
            }
        }
    }

    private void makeTokenizer(Path file) {
        if (tokenizerFolder != null) {
            Path source = tokenizerFolder.resolve("tokenizer.json");
            try (Tokenizer _ = Tokenizer.load(tokenizerFolder)) {
                String text = Files.readString(source);
                AtomicFile.write(file, text);
            } catch (IOException e) {
                throw AtomicFile.cannotRead(source, e);
            }
            return;
        }
        int size = vocabularySize == null ? 8192 : vocabularySize;
        console.say("learning a vocabulary of %,d tokens", size);
        BpeTrainer trainer = new BpeTrainer();
        data.forEach(text -> Documents.read(text, trainer::add));
        trainer.write(file, size);
    }

    private Gpt2Models.Geometry geometry(int vocabulary, int end) {
        return new Gpt2Models.Geometry(layers, heads, width, positions, vocabulary, end);
    }

    /** Refuses a geometry that no memory holds: parameters, gradients and the two moments of AdamW. */
    private void requireMemory() {
        if (from != null) {
            return; // the model decides
        }
        double vocabulary = vocabularySize == null ? 0 : vocabularySize;
        double parameters = (vocabulary + positions) * width + 12.0 * layers * width * width;
        OptionBounds.requireMemory(
                4 * Float.BYTES * parameters,
                "--layers %,d, --width %,d, --positions %,d%s"
                        .formatted(
                                layers,
                                width,
                                positions,
                                vocabularySize == null ? "" : ", --vocab-size %,d".formatted(vocabularySize)),
                "training them");
    }

    private PretrainConfig config() {
        return new PretrainConfig(
                steps == null ? 0 : steps,
                minutes == null ? 0 : minutes,
                batchSize,
                rowsAtOnce,
                learningRate,
                muonLearningRate,
                finalLearningRate,
                warmup,
                weightDecay,
                beta2,
                clip,
                validEvery,
                saveEvery,
                Mixture.parse(mixture),
                runtimeOptions.seed);
    }

    /** Shows and logs what the model writes after each validation. */
    private final class SamplingProgress extends TrainProgress {
        private final BaseModel model;
        private final Tokenizer tokenizer;
        private final RunDirectory run;

        SamplingProgress(BaseModel model, Tokenizer tokenizer, RunDirectory run) {
            super(PretrainCommand.this.console, PretrainCommand.this.json);
            this.model = model;
            this.tokenizer = tokenizer;
            this.run = run;
        }

        @Override
        List<String> remarks(int step) {
            List<String> begins = prompts == null ? List.of("") : prompts;
            int eos = model.config().eos();
            List<int[]> ids = begins.stream()
                    .map(text -> text.isEmpty() ? new int[] {eos} : tokenizer.encode(text))
                    .map(all -> Arrays.copyOf(
                            all, Math.min(all.length, model.config().positions() - 1)))
                    .toList();
            int longest = ids.stream().mapToInt(prompt -> prompt.length).max().orElseThrow();
            int tokens = Math.min(SAMPLE_TOKENS, model.config().positions() - longest);
            Decoding decoding = new Decoding.Sampling(SAMPLE_TEMPERATURE, SAMPLE_TOP_K, 1.0);
            List<Generation> outputs = new Generator(model, Optional.empty()).generate(ids, decoding, tokens);
            List<Sample> samples = new ArrayList<>();
            List<String> lines = new ArrayList<>();
            for (int i = 0; i < outputs.size(); i++) {
                String output = tokenizer.decode(outputs.get(i).ids());
                samples.add(new Sample(begins.get(i), output, Optional.empty()));
                lines.add("  » " + (begins.get(i) + output).replaceAll("\\s*\n\\s*", " ¶ "));
            }
            run.log(step, samples);
            return lines;
        }
    }

    private void report(Pretrainer.Result result, Path folder) {
        if (!result.finished()) {
            console.say(
                    "stopped after step %,d; go on with: scripts/prefix4j pretrain --resume --out %s",
                    result.steps(), out);
        }
        TextLikelihood validation = result.validation();
        if (json) {
            ObjectNode node = JSON.createObjectNode();
            node.put("steps", result.steps()).put("seconds", result.seconds());
            node.put("valid_loss", validation == null ? null : validation.loss());
            node.put("valid_bits_per_byte", validation == null ? null : validation.bitsPerByte());
            node.put("model", folder.toString());
            console.out().println(node);
            return;
        }
        console.out().printf("steps        %,d in %.1f min%n", result.steps(), result.seconds() / 60);
        if (validation != null) {
            console.out()
                    .printf(
                            "validation   %.4f nats a token, %.4f bits per byte%n",
                            validation.loss(), validation.bitsPerByte());
        }
        console.out().printf("model        %s%n", folder);
        console.out().printf("report       %s%n", out.resolve("report.html"));
    }
}
