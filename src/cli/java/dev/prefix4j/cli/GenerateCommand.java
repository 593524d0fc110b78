package dev.prefix4j.cli;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.prefix4j.AtomicFile;
import dev.prefix4j.InputException;
import dev.prefix4j.generate.Decoding;
import dev.prefix4j.generate.OutputRules;
import dev.prefix4j.task.AdaptedModel;
import dev.prefix4j.task.Encoding;
import dev.prefix4j.task.GenerationJob;
import dev.prefix4j.task.LanguageModel;
import dev.prefix4j.text.Example;
import dev.prefix4j.text.Layout;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Objects;
import java.util.Set;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

@Command(
        name = "generate",
        description = "Generates a target for each source: the rows of a data file, a prompt, or the lines of standard"
                + " input.")
final class GenerateCommand extends ConsoleCommand {
    @Spec
    CommandSpec spec;

    @Mixin
    ModelOptions modelOptions;

    @Mixin
    AdapterOption adapter;

    @Option(
            names = OptionNames.DATA,
            paramLabel = "FILE",
            description = "Sources; - for standard input. Targets are not read.")
    @Nullable
    Path data;

    @Option(names = OptionNames.PROMPT, paramLabel = "S", description = "One source.")
    @Nullable
    String prompt;

    @Option(
            names = OptionNames.DISTINCT,
            description = "Generate once for equal sources of --data, wherever they are in it.")
    boolean distinct;

    @Option(names = OptionNames.LIMIT, paramLabel = "N", description = "Generate only for the first N sources.")
    @Nullable
    Integer limit;

    @Option(names = OptionNames.RAW, description = "Continue the source itself, without the token that ends it.")
    boolean raw;

    @Option(
            names = OptionNames.BEAMS,
            paramLabel = "N",
            defaultValue = "1",
            description = "Beam search with N beams; 1: greedy, or sampling if one of its options is given.")
    int beams;

    @Option(
            names = OptionNames.LENGTH_PENALTY,
            paramLabel = "X",
            defaultValue = "1.0",
            description = "Beam scores are divided by (new tokens)^X.")
    double lengthPenalty;

    @Option(names = OptionNames.TEMPERATURE, paramLabel = "X", description = "Sample; logits are divided by X.")
    @Nullable
    Double temperature;

    @Option(names = OptionNames.TOP_K, paramLabel = "K", description = "Sample among the K most likely tokens.")
    @Nullable
    Integer topK;

    @Option(
            names = OptionNames.TOP_P,
            paramLabel = "P",
            description = "Sample among the most likely tokens with total probability P.")
    @Nullable
    Double topP;

    @Option(
            names = OptionNames.MIN_P,
            paramLabel = "P",
            description = "Sample among tokens at least P times as likely as the most likely one.")
    @Nullable
    Double minP;

    @Option(
            names = OptionNames.MAX_NEW_TOKENS,
            paramLabel = "N",
            defaultValue = "80",
            description = "Longest output, in tokens.")
    int maxNewTokens;

    @Option(
            names = OptionNames.MIN_NEW_TOKENS,
            paramLabel = "N",
            defaultValue = "0",
            description = "Shortest output, in tokens.")
    int minNewTokens;

    @Option(
            names = OptionNames.NO_REPEAT_NGRAM,
            paramLabel = "N",
            defaultValue = "0",
            description = "No sequence of N tokens occurs twice; 0: no limit.")
    int noRepeatNgram;

    @Option(
            names = OptionNames.NO_REPEAT_NGRAM_IN,
            paramLabel = "W",
            defaultValue = "all",
            description =
                    "Where such sequences are counted. all: source and output, as in Transformers; output: only the"
                            + " output, which may repeat its source, as a text about a table must.")
    String noRepeatNgramIn;

    @Option(
            names = OptionNames.REPETITION_PENALTY,
            paramLabel = "X",
            defaultValue = "1.0",
            description =
                    "Make tokens that are already in source or output less likely: positive scores are divided by X,"
                            + " others multiplied; 1: no penalty.")
    double repetitionPenalty;

    @Option(
            names = OptionNames.N_BEST,
            paramLabel = "N",
            defaultValue = "1",
            description =
                    "N outputs for each source, each on a line after its rank and score: the best of --beams with their"
                            + " scores, or N samples with their log-probabilities.")
    int nBest;

    @Option(names = OptionNames.BATCH_SIZE, paramLabel = "N", defaultValue = "16", description = "Sources in a batch.")
    int batchSize;

    @Option(
            names = OptionNames.OUT,
            paramLabel = "FILE",
            description =
                    "Write the outputs to this file, one per line, instead of to standard output; an existing file"
                            + " is replaced.")
    @Nullable
    Path out;

    @Option(
            names = OptionNames.RECIPE,
            paramLabel = "R",
            description = "Decode as the paper does for e2e, webnlg, dart or xsum, unless options say otherwise"
                    + " (docs/recipes.md).")
    @Nullable
    String recipe;

    @Mixin
    CompatOption compat;

    @Mixin
    DataOptionsMixin dataOptions;

    @Mixin
    PrecisionOption precision;

    @Mixin
    RuntimeOptions runtimeOptions;

    GenerateCommand(Console console) {
        super(console);
    }

    private Decoding decoding() {
        boolean sampling = temperature != null || topK != null || topP != null || minP != null;
        if (sampling && beams != 1) {
            throw new ParameterException(
                    spec.commandLine(), "expected --beams, or --temperature, --top-k, --top-p or --min-p, found both");
        }
        if (sampling) {
            return new Decoding.Sampling(
                    temperature == null ? 1 : temperature,
                    topK == null ? 0 : topK,
                    topP == null ? 1 : topP,
                    minP == null ? 0 : minP);
        }
        return beams == 1 ? new Decoding.Greedy() : new Decoding.BeamSearch(beams, lengthPenalty, compat.authors());
    }

    private OutputRules rules(Set<Integer> never) {
        return new OutputRules(
                maxNewTokens,
                minNewTokens,
                noRepeatNgram,
                OutputRules.Counted.parse(noRepeatNgramIn),
                repetitionPenalty,
                never);
    }

    @Override
    void settle() {
        if (data != null && prompt != null) {
            throw new ParameterException(spec.commandLine(), "expected --data or --prompt, found both");
        }
        if (recipe != null) {
            console.say("%s", Recipe.parse(recipe).generate(spec));
        }
        decoding().requireOutputs(nBest);
        rules(Set.of());
        precision.parse();
        DataOptionsMixin.requireLimit(limit);
        GenerationJob.requireBatch(batchSize);
    }

    @Override
    public Integer call() {
        write();
        return Main.OK;
    }

    /**
     * Generates for the sources, to standard output or to the file of {@code --out}.
     *
     * @return the number of sources
     */
    int write() {
        if (out == null) {
            return write(console.out()::println);
        }
        StringBuilder lines = new StringBuilder();
        int sources = write(line -> lines.append(line).append('\n'));
        AtomicFile.write(out, lines.toString());
        console.say("%,d outputs in %s", sources, out);
        return sources;
    }

    /**
     * Generates for the sources.
     *
     * @param lines receives each output, as it is shown
     * @return the number of sources
     */
    private int write(Consumer<String> lines) {
        settle();
        compat.note(adapter.name, console);
        requireWritable();
        runtimeOptions.start();
        List<Example> sources = sources();
        try (LanguageModel model = modelOptions.load(runtimeOptions, console, precision.parse())) {
            AdaptedModel adapted =
                    adapter.adapt(model, modelOptions, precision.parse(), AdaptedModel.Use.DECODING, console);
            Encoding encoding = modelOptions.encoding(Layout.CLEAN);
            List<int[]> prompts = raw
                    ? encoding.beginnings(sources, model, adapted.taken(), maxNewTokens)
                    : encoding.prompts(sources, model, adapted.taken(), maxNewTokens);
            OutputRules rules = rules(compat.never(model.tokenizer()));
            try (Progress progress = new Progress(console, "generate", out == null ? 0 : prompts.size())) {
                new GenerationJob(adapted, decoding(), rules, nBest, batchSize).write(prompts, (i, outputs) -> {
                    for (int rank = 1; rank <= outputs.size(); rank++) {
                        lines.accept(line(sources.get(i), outputs.get(rank - 1), rank));
                    }
                    progress.to(i + 1);
                });
            }
        }
        return sources.size();
    }

    private void requireWritable() {
        if (out != null && (Files.isDirectory(out) || out.toAbsolutePath().getParent() == null)) {
            throw new InputException(out + ": expected the name of a file to write, found a folder");
        }
        if (out != null && !Files.isWritable(out.toAbsolutePath().getParent())) {
            throw new InputException(out + ": cannot be written: expected a folder that exists and can be written to");
        }
    }

    private List<Example> sources() {
        Layout layout = raw ? Layout.CLEAN : compat.decoding();
        if (data != null) {
            List<Example> examples = dataOptions.readSources(data, distinct ? null : limit, layout);
            if (!distinct) {
                return examples;
            }
            List<Example> keys = layout == Layout.CLEAN
                    ? examples
                    : dataOptions.readSources(data, null, Layout.CLEAN); // as evaluate groups
            List<Example> wanted = Example.distinct(examples, keys);
            return limit == null ? wanted : wanted.subList(0, Math.min(limit, wanted.size()));
        }
        List<String> texts = prompt != null ? List.of(prompt) : standardInput();
        List<Example> sources = new ArrayList<>();
        for (int i = 0; i < texts.size(); i++) {
            String name = prompt != null ? OptionNames.PROMPT : "standard input:" + (i + 1);
            sources.add(Example.ofSource(layout.source(texts.get(i)), name));
        }
        return sources;
    }

    private List<String> standardInput() {
        try {
            List<String> lines = new BufferedReader(new InputStreamReader(console.in(), StandardCharsets.UTF_8))
                    .lines()
                    .limit(limit == null ? Long.MAX_VALUE : limit)
                    .toList();
            if (lines.isEmpty()) {
                throw new InputException("standard input: expected a source on each line, found nothing");
            }
            return lines;
        } catch (java.io.UncheckedIOException e) {
            throw new InputException(
                    "standard input: cannot be read: "
                            + Objects.requireNonNull(e.getCause(), "it always has one")
                                    .getMessage(),
                    e);
        }
    }

    private String line(Example source, GenerationJob.Output output, int rank) {
        if (!json) {
            String oneLine = output.line(); // safe on a terminal
            return nBest == 1 ? oneLine : String.format(Locale.ROOT, "%d\t%.4f\t%s", rank, output.score(), oneLine);
        }
        ObjectNode node = JSON.createObjectNode();
        node.put("source", source.source());
        ArrayNode ids = node.putArray("ids");
        Arrays.stream(output.ids()).forEach(ids::add);
        node.put("text", output.text().strip());
        node.put("finished", output.finished());
        if (nBest > 1) {
            node.put("rank", rank).put(beams == 1 ? "log_probability" : "score", output.score());
        }
        return node.toString();
    }
}
