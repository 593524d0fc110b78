package dev.prefix4j.cli;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.prefix4j.InputException;
import dev.prefix4j.eval.TextLikelihood;
import dev.prefix4j.pretrain.Mixture;
import dev.prefix4j.pretrain.PretrainConfig;
import dev.prefix4j.pretrain.Pretrainer;
import dev.prefix4j.task.MachineMemory;
import dev.prefix4j.task.ModelName;
import dev.prefix4j.task.PretrainingRun;
import dev.prefix4j.text.Documents;
import dev.prefix4j.torch.TorchRuntime;
import dev.prefix4j.train.RunDirectory;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

@Command(name = "pretrain", description = "Trains a small GPT-2 on plain text, from scratch or from a model.")
final class PretrainCommand extends ConsoleCommand {
    @Spec
    CommandSpec spec;

    @Option(
            names = OptionNames.DATA,
            paramLabel = "FILE",
            arity = "1..*",
            description = "Text files (.txt, also .gz, .xz); a line <|endoftext|> separates documents.")
    @Nullable
    List<Path> data;

    @Option(names = OptionNames.VALID, paramLabel = "FILE", description = "Text to validate on.")
    @Nullable
    Path valid;

    @Option(
            names = OptionNames.OUT,
            paramLabel = "DIR",
            required = true,
            description = "Folder for the run, new or empty.")
    Path out;

    @Option(
            names = OptionNames.FROM,
            paramLabel = "MODEL",
            description = "Start from this model, with its geometry and tokenizer: a folder, builtin:tiny or a name on"
                    + " the hub.")
    @Nullable
    String from;

    @Option(
            names = OptionNames.TOKENIZER,
            paramLabel = "DIR",
            description = "Folder with the tokenizer to use; by default one is learned from the data.")
    @Nullable
    Path tokenizerFolder;

    @Option(
            names = OptionNames.VOCAB_SIZE,
            paramLabel = "N",
            description = "Vocabulary size of the byte-level BPE that is learned; 8192 by default.")
    @Nullable
    Integer vocabularySize;

    @Option(names = OptionNames.LAYERS, paramLabel = "N", defaultValue = "6", description = "Number of blocks.")
    int layers;

    @Option(names = OptionNames.HEADS, paramLabel = "N", defaultValue = "4", description = "Attention heads per block.")
    int heads;

    @Option(names = OptionNames.WIDTH, paramLabel = "N", defaultValue = "256", description = "Width of the model.")
    int width;

    @Option(
            names = OptionNames.POSITIONS,
            paramLabel = "N",
            defaultValue = "512",
            description = "Context length in tokens.")
    int positions;

    @Option(
            names = OptionNames.INIT,
            paramLabel = "I",
            defaultValue = "copying",
            description =
                    "Initial weights. random: as for GPT-2; copying: with attention heads that repeat what has been"
                            + " read.")
    String init;

    @Option(
            names = OptionNames.MIXTURE,
            paramLabel = "M",
            defaultValue = "prose=1.0",
            description = "Shares of prose, repeats, sentences and facts, such as prose=0.7,facts=0.3.")
    String mixture;

    @Option(names = OptionNames.STEPS, paramLabel = "N", description = "Training steps.")
    @Nullable
    Integer steps;

    @Option(names = OptionNames.MINUTES, paramLabel = "X", description = "Minutes to train, instead of --steps.")
    @Nullable
    Double minutes;

    @Option(names = OptionNames.BATCH_SIZE, paramLabel = "N", defaultValue = "8", description = "Rows in a step.")
    int batchSize;

    @Option(
            names = OptionNames.ROWS_AT_ONCE,
            paramLabel = "N",
            defaultValue = "2",
            description = "Rows computed together; the gradients of a step are summed.")
    int rowsAtOnce;

    @Option(
            names = OptionNames.LR,
            paramLabel = "X",
            defaultValue = "2e-3",
            description = "Learning rate after the warm-up.")
    double learningRate;

    @Option(
            names = OptionNames.MUON_LR,
            paramLabel = "X",
            defaultValue = "0",
            description = "Learning rate of Muon for the matrices of the blocks, such as 0.02; 0: AdamW for all.")
    double muonLearningRate;

    @Option(
            names = OptionNames.FINAL_LR,
            paramLabel = "X",
            defaultValue = "0.05",
            description = "Learning rate at the end of the cosine, as a share of the peak.")
    double finalLearningRate;

    @Option(
            names = OptionNames.WARMUP,
            paramLabel = "N",
            defaultValue = "200",
            description = "Steps over which the learning rate rises.")
    int warmup;

    @Option(
            names = OptionNames.WEIGHT_DECAY,
            paramLabel = "X",
            defaultValue = "0.1",
            description = "Weight decay of matrices.")
    double weightDecay;

    @Option(names = OptionNames.BETA2, paramLabel = "X", defaultValue = "0.95", description = "AdamW's beta2.")
    double beta2;

    @Option(
            names = OptionNames.CLIP,
            paramLabel = "X",
            defaultValue = "1",
            description = "Largest norm of the gradient; 0: no limit.")
    double clip;

    @Option(
            names = OptionNames.MATMUL_PRECISION,
            paramLabel = "P",
            defaultValue = "highest",
            description = "highest: float32; medium: factors rounded to bfloat16, where that is faster.")
    String matmulPrecision;

    @Option(
            names = OptionNames.VALID_EVERY,
            paramLabel = "N",
            defaultValue = "250",
            description = "Steps between validations.")
    int validEvery;

    @Option(
            names = OptionNames.SAVE_EVERY,
            paramLabel = "N",
            defaultValue = "250",
            description = "Steps between saves of the state to resume from.")
    int saveEvery;

    @Mixin
    DtypeOption dtype;

    @Option(
            names = OptionNames.PROMPT,
            paramLabel = "S",
            arity = "1..*",
            description = "Beginnings of the samples that are shown after each validation.")
    @Nullable
    List<String> prompts;

    @Option(
            names = OptionNames.TENSORBOARD,
            description = "Write event files for TensorBoard to the folder tensorboard of the run.")
    boolean tensorBoard;

    @Option(names = OptionNames.RESUME, description = "Resume the run in --out, with its options.")
    boolean resume;

    @Mixin
    RuntimeOptions runtimeOptions;

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
        config();
        scratch().require(); // before anything is written
        requireMemory();
        if (!init.equals("copying") && !init.equals("random")) {
            throw new InputException("init: expected copying or random, found '" + init + "'");
        }
        data.forEach(Documents::requireFile);
        if (valid != null) {
            Documents.requireFile(valid);
        }
        dtype.parse();
        TorchRuntime.MatmulPrecision precision = TorchRuntime.MatmulPrecision.parse(matmulPrecision);
        PretrainingRun.Setup setup = setup(data);
        runtimeOptions.start();
        TorchRuntime.matmulPrecision(precision);
        try (RunDirectory run = resume ? RunDirectory.open(out) : RunDirectory.create(out, RunOptions.describe(spec));
                PretrainingRun training =
                        new PretrainingRun(setup, run, !resume, remark -> console.say("%s", remark))) {
            return train(training);
        }
    }

    private int train(PretrainingRun training) {
        console.say("%s", training.description());
        try (Interruption interruption = new Interruption(console)) {
            Pretrainer.Result result;
            try (RunWatch watch = new RunWatch(
                    new TrainProgress(console, json), out, "pretrain", runtimeOptions.device, tensorBoard, console)) {
                result = training.train(watch, interruption);
            }
            report(result, training.modelFolder());
        }
        return Main.OK;
    }

    private PretrainingRun.Setup setup(List<Path> texts) {
        PretrainingRun.Start start = scratch();
        if (from != null) {
            Path source = console.models().folder(from);
            start = new PretrainingRun.FromModel(source);
            tokenizerFolder = source; // as the run stores them
            positions = start.positions(); // refuses a model of another family before anything is written
        }
        return new PretrainingRun.Setup(
                texts,
                Optional.ofNullable(valid),
                start,
                config(),
                dtype.parse(),
                prompts == null ? List.of("") : prompts,
                runtimeOptions.device);
    }

    private PretrainingRun.FromScratch scratch() {
        return new PretrainingRun.FromScratch(
                Optional.ofNullable(tokenizerFolder),
                vocabularySize == null ? 8192 : vocabularySize,
                layers,
                heads,
                width,
                positions,
                init.equals("copying"));
    }

    /** Refuses options that {@code --from} determines. */
    private void requireNoGeometry() {
        for (String name : List.of(
                OptionNames.TOKENIZER,
                OptionNames.VOCAB_SIZE,
                OptionNames.LAYERS,
                OptionNames.HEADS,
                OptionNames.WIDTH,
                OptionNames.POSITIONS,
                OptionNames.INIT)) {
            if (spec.commandLine().getParseResult().hasMatchedOption(name)) {
                throw new ParameterException(
                        spec.commandLine(), "expected no " + name + " with --from, which determines it");
            }
        }
    }

    /** Refuses a geometry that cannot fit into memory: parameters, gradients and the two moments of AdamW. */
    private void requireMemory() {
        if (from != null) {
            return; // the model determines it
        }
        double vocabulary = vocabularySize == null ? 0 : vocabularySize;
        double parameters = (vocabulary + positions) * width + 12.0 * layers * width * width;
        MachineMemory.require(
                4 * Float.BYTES * parameters,
                "--layers %,d, --width %,d, --positions %,d%s"
                        .formatted(
                                layers,
                                width,
                                positions,
                                vocabularySize == null ? "" : ", --vocab-size %,d".formatted(vocabularySize)),
                "training");
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

    private void report(Pretrainer.Result result, Path folder) {
        if (!result.finished()) {
            console.say(
                    "stopped after step %,d; resume with: scripts/prefix4j pretrain --resume --out %s",
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
                            "validation   %.4f nats per token, %.4f bits per byte%n",
                            validation.loss(), validation.bitsPerByte());
        }
        console.out().printf("model        %s%n", folder);
        console.out().printf("report       %s%n", out.resolve("report.html"));
    }
}
