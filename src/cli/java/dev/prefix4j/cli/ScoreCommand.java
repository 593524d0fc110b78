package dev.prefix4j.cli;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.prefix4j.InputException;
import dev.prefix4j.eval.Induction;
import dev.prefix4j.eval.Likelihood;
import dev.prefix4j.eval.TextLikelihood;
import dev.prefix4j.frozen.Conditioned;
import dev.prefix4j.frozen.Precision;
import dev.prefix4j.model.BaseModel;
import dev.prefix4j.text.Example;
import dev.prefix4j.text.RunningText;
import dev.prefix4j.text.Sequence;
import dev.prefix4j.text.Tokenizer;
import dev.prefix4j.torch.TensorScope;
import java.nio.file.Path;
import java.util.List;
import org.bytedeco.pytorch.Device;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

@Command(
        name = "score",
        description = "Scores the targets of a data file, or running text: mean token loss and perplexity.")
final class ScoreCommand extends ConsoleCommand {
    @Mixin
    ModelOptions modelOptions;

    @Option(
            names = {"--prefix", "--adapter"},
            paramLabel = "DIR",
            description = AdapterName.DESCRIPTION + "; none: the model alone.")
    Path prefix;

    @Spec
    CommandSpec spec;

    @ArgGroup(multiplicity = "1")
    Subject subject;

    /** What is scored. */
    static final class Subject {
        @Option(names = "--data", paramLabel = "FILE", description = "Sources and targets; - for standard input.")
        Path data;

        @Option(
                names = "--text",
                paramLabel = "FILE",
                description =
                        "Plain text instead, documents separated by a line <|endoftext|>; gives bits per byte too.")
        Path text;

        @Option(
                names = "--induction",
                paramLabel = "N",
                description = "N random tokens, read twice, instead: how well the model copies.")
        Integer induction;
    }

    @Option(names = "--limit", paramLabel = "N", description = "Read only the first N rows.")
    Integer limit;

    @Option(
            names = "--batch-size",
            paramLabel = "N",
            defaultValue = "20",
            description = "Sequences scored side by side.")
    int batchSize;

    @Mixin
    DataOptionsMixin dataOptions;

    @Mixin
    CompatOption compat;

    @Mixin
    PrecisionOption precision;

    @Mixin
    RuntimeOptions runtimeOptions;

    ScoreCommand(Console console) {
        super(console);
    }

    @Override
    public Integer call() {
        if (batchSize < 1) {
            throw new InputException("batch-size must be at least 1, was " + batchSize);
        }
        if (subject.data == null && prefix != null) {
            throw new ParameterException(spec.commandLine(), "--prefix: expected --data with it, found none");
        }
        if (subject.data == null && precision.parse() != Precision.FP32) {
            throw new ParameterException(spec.commandLine(), "--precision int8: expected --data with it, found none");
        }
        if (subject.data == null && compat.authors()) {
            throw new ParameterException(spec.commandLine(), "--compat authors: expected --data with it, found none");
        }
        compat.note(prefix, console);
        Device device = runtimeOptions.start();
        return subject.data != null
                ? scoreTargets(device)
                : subject.text != null ? scoreText(device) : scoreCopying(device);
    }

    private int scoreText(Device device) {
        try (TensorScope _ = new TensorScope()) {
            BaseModel model = modelOptions.load(device, console);
            TextLikelihood likelihood;
            try (Tokenizer tokenizer = modelOptions.tokenizer(model)) {
                RunningText text = RunningText.encode(
                        subject.text, tokenizer, model.config().eos());
                likelihood = TextLikelihood.of(model, text.ids(), text.bytes());
            }
            if (json) {
                ObjectNode node = JSON.createObjectNode();
                node.put("loss", likelihood.loss()).put("perplexity", Math.exp(likelihood.loss()));
                node.put("bits_per_byte", likelihood.bitsPerByte()).put("tokens", likelihood.tokens());
                console.out().println(node);
            } else {
                console.out()
                        .printf(
                                "loss %.4f nats a token, %.4f bits per byte, %,d tokens%n",
                                likelihood.loss(), likelihood.bitsPerByte(), likelihood.tokens());
            }
        }
        return Main.OK;
    }

    private int scoreCopying(Device device) {
        try (TensorScope _ = new TensorScope()) {
            Induction induction =
                    Induction.of(modelOptions.load(device, console), subject.induction, runtimeOptions.seed);
            if (json) {
                ObjectNode node = JSON.createObjectNode();
                node.put("first_loss", induction.first()).put("second_loss", induction.second());
                console.out().println(node.put("accuracy", induction.accuracy()));
            } else {
                console.out()
                        .printf(
                                "loss %.4f at the first reading, %.4f at the second; %.1f %% of the tokens repeated"
                                        + " rightly%n",
                                induction.first(), induction.second(), 100 * induction.accuracy());
            }
        }
        return Main.OK;
    }

    private int scoreTargets(Device device) {
        List<Example> examples = dataOptions.read(subject.data, limit, compat.training());
        try (TensorScope _ = new TensorScope()) {
            BaseModel model = modelOptions.load(device, console, precision.parse());
            Path adapter = modelOptions.adapter(prefix, console);
            Conditioned conditioned = ModelOptions.conditioned(adapter, model, precision::freeze);
            List<Sequence> sequences;
            try (Tokenizer tokenizer = modelOptions.tokenizer(model)) {
                modelOptions.checkBase(adapter, model, tokenizer, console);
                sequences = modelOptions.encode(examples, tokenizer, model, conditioned.taken(), compat.training());
            }
            Likelihood likelihood = Likelihood.of(conditioned, sequences, batchSize);
            if (json) {
                ObjectNode node = JSON.createObjectNode();
                node.put("loss", likelihood.loss());
                node.put("perplexity", likelihood.perplexity());
                node.put("tokens", likelihood.tokens());
                console.out().println(node);
            } else {
                console.out()
                        .printf(
                                "loss %.4f nats a token, perplexity %.2f, %,d tokens%n",
                                likelihood.loss(), likelihood.perplexity(), likelihood.tokens());
            }
        }
        return Main.OK;
    }
}
