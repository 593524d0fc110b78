package dev.prefix4j.cli;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.prefix4j.Excerpt;
import dev.prefix4j.InputException;
import dev.prefix4j.eval.Bleu;
import dev.prefix4j.eval.BleuScore;
import dev.prefix4j.eval.BleuTokenizer;
import dev.prefix4j.eval.Metric;
import dev.prefix4j.eval.SlotCoverage;
import dev.prefix4j.task.Evaluation;
import dev.prefix4j.text.Example;
import dev.prefix4j.text.TextLines;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

@Command(
        name = "evaluate",
        description = "Scores outputs against references: corpus BLEU as sacreBLEU computes it, and other metrics with"
                + " --metrics or --json.")
final class EvaluateCommand extends ConsoleCommand {
    /** Outputs and references are held in memory. */
    private static final long MAX_FILE_BYTES = 32 << 20;

    @Spec
    CommandSpec spec;

    @Option(names = OptionNames.HYPS, paramLabel = "FILE", required = true, description = "Outputs, one per line.")
    Path hypotheses;

    @Option(
            names = "--refs",
            paramLabel = "FILE",
            description = "References, one line per output; repeat the option for more references.")
    @Nullable
    List<Path> references;

    @Option(
            names = "--empty-refs",
            paramLabel = "E",
            description =
                    "An empty line in one of several --refs: keep: is an empty reference, as in sacreBLEU (default);"
                            + " skip: is not a reference, as in WebNLG's tools.")
    @Nullable
    String emptyReferences;

    @Option(
            names = OptionNames.DATA,
            paramLabel = "FILE",
            description =
                    "References from a data file: all targets of equal sources, wherever they are in the file, belong"
                            + " to one output.")
    @Nullable
    Path data;

    @Option(
            names = OptionNames.LIMIT,
            paramLabel = "N",
            description = "Only the first N distinct sources of --data, as in generate --distinct --limit N.")
    @Nullable
    Integer limit;

    @Option(
            names = "--slots",
            description = "Also the share of slot values in the sources of --data that occur in the outputs.")
    boolean slots;

    @Option(
            names = OptionNames.METRICS,
            paramLabel = "LIST",
            description = "all, or some of"
                    + " bleu,e2e-bleu,nist,meteor,rouge-1,rouge-2,rouge-l,rouge-lsum,coco-rouge-l,cider,ter,chrf"
                    + " (default: bleu; all with --json).")
    @Nullable
    String metrics;

    @Option(
            names = "--confidence",
            description = "Also 95 %% intervals, from 1,000 bootstrap resamples; always with --json.")
    boolean confidence;

    @Option(
            names = "--against",
            paramLabel = "FILE",
            description = "Other outputs, one per line: their scores, and how likely such a difference is by chance.")
    @Nullable
    Path against;

    @Option(
            names = OptionNames.SEED,
            paramLabel = "N",
            defaultValue = "12345",
            description = "Seed of the resamples (default: ${DEFAULT-VALUE}).")
    long seed;

    @Option(
            names = "--tokenize",
            paramLabel = "T",
            defaultValue = "13a",
            description = "Tokenizer of bleu: 13a or none.")
    String tokenize;

    @Option(names = "--lowercase", description = "Ignore case, for bleu.")
    boolean lowercase;

    @Mixin
    DataOptionsMixin dataOptions;

    EvaluateCommand(Console console) {
        super(console);
    }

    /** What is scored: outputs against references, and other outputs to compare with. */
    private record Texts(
            List<String> outputs,
            List<Example> sources,
            List<List<String>> references,
            Optional<List<String>> others) {}

    @Override
    public Integer call() {
        settle();
        BleuTokenizer tokenizer = BleuTokenizer.parse(tokenize);
        Texts texts = texts();
        Evaluation evaluation = evaluate(texts, tokenizer);
        Optional<SlotCoverage> coverage = slots
                ? Optional.of(SlotCoverage.of(
                        texts.sources().stream().map(Example::source).toList(), texts.outputs()))
                : Optional.empty();
        if (json) {
            console.out().println(node(evaluation, tokenizer, texts.outputs().size(), coverage));
        } else {
            console.out().println(evaluation.bleu());
            if (metrics != null || confidence || against != null) {
                MetricTable.lines(evaluation.results()).forEach(console.out()::println);
            }
            coverage.ifPresent(c -> console.out()
                    .printf(
                            "slot coverage %.3f, with other sources %.3f (%,d slots)%n",
                            c.coverage(), c.shuffled(), c.slots()));
        }
        return Main.OK;
    }

    /**
     * Scores the outputs without printing anything.
     *
     * @return the scores of {@code --metrics}
     */
    Evaluation evaluate() {
        settle();
        BleuTokenizer tokenizer = BleuTokenizer.parse(tokenize);
        return evaluate(texts(), tokenizer);
    }

    private Evaluation evaluate(Texts texts, BleuTokenizer tokenizer) {
        Bleu bleu = new Bleu(tokenizer, Bleu.Smoothing.EXP, lowercase);
        Evaluation.Settings settings = new Evaluation.Settings(
                Metric.parse(metrics != null ? metrics : json ? "all" : "bleu"), bleu, confidence || json, seed);
        return Evaluation.of(texts.outputs(), texts.references(), settings, texts.others());
    }

    @Override
    void settle() {
        if ((data == null) == (references == null)) {
            throw new ParameterException(
                    spec.commandLine(), "expected --refs or --data, found " + (data == null ? "neither" : "both"));
        }
        if (slots && data == null) {
            throw new ParameterException(
                    spec.commandLine(), "--slots: expected --data, which has the sources, found none");
        }
        if (emptyReferences != null && references == null) {
            throw new ParameterException(spec.commandLine(), "--empty-refs: expected --refs with it, found none");
        }
        if (emptyReferences != null && !emptyReferences.equals("keep") && !emptyReferences.equals("skip")) {
            throw new InputException("empty-refs: expected keep or skip, found '" + Excerpt.of(emptyReferences) + "'");
        }
        DataOptionsMixin.requireLimit(limit);
        BleuTokenizer.parse(tokenize);
        if (metrics != null) {
            Metric.parse(metrics);
        }
    }

    private Texts texts() {
        List<String> outputs = TextLines.read(hypotheses, MAX_FILE_BYTES);
        List<Example> sources = data != null ? sources(data) : List.of();
        List<List<String>> expected = references != null
                ? fromFiles(references, outputs.size())
                : sources.stream().map(Example::targets).toList();
        if (expected.size() != outputs.size()) {
            throw new InputException(
                    "%s: expected %d lines, one for each distinct source of %s (as generate --distinct writes), found %d"
                            .formatted(hypotheses, expected.size(), data, outputs.size()));
        }
        Optional<List<String>> others = Optional.ofNullable(against).map(file -> TextLines.read(file, MAX_FILE_BYTES));
        if (others.isPresent() && others.get().size() != outputs.size()) {
            throw new InputException("%s: expected %d lines, as in %s, found %d"
                    .formatted(against, outputs.size(), hypotheses, others.get().size()));
        }
        return new Texts(outputs, sources, expected, others);
    }

    private ObjectNode node(
            Evaluation evaluation, BleuTokenizer tokenizer, int segments, Optional<SlotCoverage> coverage) {
        BleuScore bleu = evaluation.bleu();
        ObjectNode node = JSON.createObjectNode();
        node.put("bleu", bleu.score());
        ArrayNode precisions = node.putArray("precisions");
        bleu.precisions().forEach(precisions::add);
        node.put("brevity_penalty", bleu.brevityPenalty());
        node.put("hyp_len", bleu.hypothesisLength());
        node.put("ref_len", bleu.referenceLength());
        node.put("tokenize", tokenizer.toString());
        node.put("segments", segments);
        coverage.ifPresent(c -> node.put("slot_coverage", c.coverage())
                .put("slot_coverage_shuffled", c.shuffled())
                .put("slots", c.slots()));
        ObjectNode byMetric = node.putObject("metrics");
        evaluation
                .results()
                .forEach(result -> MetricTable.write(
                        result, byMetric.putObject(result.metric().key())));
        return node.put("seed", seed);
    }

    private List<Example> sources(Path file) {
        List<Example> sources = Example.distinct(dataOptions.read(file, null));
        for (Example source : sources) {
            if (source.targets().isEmpty()) {
                throw new InputException(source.location() + ": expected a target to score against, found none");
            }
        }
        return sources.subList(0, limit == null ? sources.size() : Math.min(limit, sources.size()));
    }

    private List<List<String>> fromFiles(List<Path> files, int count) {
        List<List<String>> bySegment = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            bySegment.add(new ArrayList<>());
        }
        for (Path file : files) {
            List<String> lines = TextLines.read(file, MAX_FILE_BYTES);
            if (lines.size() != count) {
                throw new InputException(
                        "%s: expected %d lines, as in %s, found %d".formatted(file, count, hypotheses, lines.size()));
            }
            boolean skip = "skip".equals(emptyReferences);
            for (int i = 0; i < count; i++) {
                if (!skip || !lines.get(i).isBlank()) {
                    bySegment.get(i).add(lines.get(i));
                }
            }
            long empty = lines.stream().filter(String::isBlank).count();
            if (empty > 0 && files.size() > 1) {
                console.say(
                        skip
                                ? "%s: empty lines: %,d, not used as references"
                                : "%s: empty lines: %,d, used as empty references, as in sacreBLEU (--empty-refs skip:"
                                        + " not used, as in WebNLG's tools)",
                        file,
                        empty);
            }
        }
        int without = bySegment.indexOf(List.of());
        if (without >= 0) {
            throw new InputException("%s:%d: expected a reference, found an empty line in every --refs"
                    .formatted(files.getFirst(), without + 1));
        }
        return bySegment;
    }
}
