package dev.prefix4j.cli;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.prefix4j.eval.Induction;
import dev.prefix4j.eval.Likelihood;
import dev.prefix4j.eval.TextLikelihood;
import dev.prefix4j.task.AdaptedModel;
import dev.prefix4j.task.Engine;
import dev.prefix4j.task.GenerationJob;
import dev.prefix4j.task.LanguageModel;
import dev.prefix4j.task.Scoring;
import dev.prefix4j.text.Example;
import java.nio.file.Path;
import java.util.List;
import java.util.Objects;
import org.jspecify.annotations.Nullable;
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

    @Mixin
    AdapterOption adapter;

    @Spec
    CommandSpec spec;

    @ArgGroup(multiplicity = "1")
    Subject subject;

    /** What is scored. */
    static final class Subject {
        @Option(
                names = OptionNames.DATA,
                paramLabel = "FILE",
                description = "Sources and targets; - for standard input.")
        @Nullable
        Path data;

        @Option(
                names = OptionNames.TEXT,
                paramLabel = "FILE",
                description = "Plain text instead; a line <|endoftext|> separates documents. Also gives bits per byte.")
        @Nullable
        Path text;

        @Option(
                names = OptionNames.INDUCTION,
                paramLabel = "N",
                description = "N random tokens instead, read twice: how well the model copies them.")
        @Nullable
        Integer induction;
    }

    @Option(names = OptionNames.LIMIT, paramLabel = "N", description = "Read only the first N rows.")
    @Nullable
    Integer limit;

    @Option(
            names = OptionNames.BATCH_SIZE,
            paramLabel = "N",
            defaultValue = "20",
            description = "Sequences in a batch.")
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
        GenerationJob.requireBatch(batchSize);
        if (subject.data == null && adapter.name != null) {
            throw new ParameterException(spec.commandLine(), "--prefix: expected --data with it, found none");
        }
        if (subject.data == null && !precision.parse().equals(Engine.FP32)) {
            throw new ParameterException(spec.commandLine(), "--precision int8: expected --data with it, found none");
        }
        if (subject.data == null && compat.authors()) {
            throw new ParameterException(spec.commandLine(), "--compat authors: expected --data with it, found none");
        }
        compat.note(adapter.name, console);
        runtimeOptions.start();
        if (subject.data != null) {
            return scoreTargets(subject.data);
        }
        return subject.text != null
                ? scoreText(subject.text)
                : scoreCopying(Objects.requireNonNull(subject.induction, "one of the three is given"));
    }

    private int scoreText(Path text) {
        try (LanguageModel model = modelOptions.load(runtimeOptions, console)) {
            TextLikelihood likelihood = Scoring.text(model, text);
            if (json) {
                ObjectNode node = JSON.createObjectNode();
                node.put("loss", likelihood.loss()).put("perplexity", Math.exp(likelihood.loss()));
                node.put("bits_per_byte", likelihood.bitsPerByte()).put("tokens", likelihood.tokens());
                console.out().println(node);
            } else {
                console.out()
                        .printf(
                                "loss %.4f nats per token, %.4f bits per byte, %,d tokens%n",
                                likelihood.loss(), likelihood.bitsPerByte(), likelihood.tokens());
            }
        }
        return Main.OK;
    }

    private int scoreCopying(int tokens) {
        try (LanguageModel model = modelOptions.load(runtimeOptions, console)) {
            Induction induction = Scoring.copying(model, tokens, runtimeOptions.seed);
            if (json) {
                ObjectNode node = JSON.createObjectNode();
                node.put("first_loss", induction.first()).put("second_loss", induction.second());
                console.out().println(node.put("accuracy", induction.accuracy()));
            } else {
                console.out()
                        .printf(
                                "loss %.4f at the first reading, %.4f at the second; %.1f %% of the tokens repeated"
                                        + " correctly%n",
                                induction.first(), induction.second(), 100 * induction.accuracy());
            }
        }
        return Main.OK;
    }

    private int scoreTargets(Path data) {
        List<Example> examples = dataOptions.read(data, limit, compat.training());
        try (LanguageModel model = modelOptions.load(runtimeOptions, console, precision.parse())) {
            AdaptedModel adapted =
                    adapter.adapt(model, modelOptions, precision.parse(), AdaptedModel.Use.SCORING, console);
            Likelihood likelihood =
                    Scoring.targets(adapted, examples, modelOptions.encoding(compat.training()), batchSize);
            if (json) {
                ObjectNode node = JSON.createObjectNode();
                node.put("loss", likelihood.loss());
                node.put("perplexity", likelihood.perplexity());
                node.put("tokens", likelihood.tokens());
                console.out().println(node);
            } else {
                console.out()
                        .printf(
                                "loss %.4f nats per token, perplexity %.2f, %,d tokens%n",
                                likelihood.loss(), likelihood.perplexity(), likelihood.tokens());
            }
        }
        return Main.OK;
    }
}
