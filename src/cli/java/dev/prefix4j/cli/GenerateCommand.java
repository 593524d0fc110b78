package dev.prefix4j.cli;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.prefix4j.AtomicFile;
import dev.prefix4j.InputException;
import dev.prefix4j.frozen.Conditioned;
import dev.prefix4j.generate.Decoding;
import dev.prefix4j.generate.Generation;
import dev.prefix4j.generate.Generator;
import dev.prefix4j.generate.OutputRules;
import dev.prefix4j.model.BaseModel;
import dev.prefix4j.text.Example;
import dev.prefix4j.text.Layout;
import dev.prefix4j.text.Sequences;
import dev.prefix4j.text.Tokenizer;
import dev.prefix4j.torch.TensorScope;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import org.bytedeco.pytorch.Device;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

@Command(
        name = "generate",
        description =
                "Writes a target for each source: the rows of a data file, a prompt, or the lines of standard input.")
final class GenerateCommand extends ConsoleCommand {
    @Spec
    CommandSpec spec;

    @Mixin
    ModelOptions modelOptions;

    @Option(
            names = {"--prefix", "--adapter"},
            paramLabel = "DIR",
            description = AdapterName.DESCRIPTION + "; none: the model alone.")
    Path prefix;

    @Option(
            names = "--data",
            paramLabel = "FILE",
            description = "Sources, - for standard input; their targets are not read.")
    Path data;

    @Option(names = "--prompt", paramLabel = "S", description = "One source.")
    String prompt;

    @Option(names = "--distinct", description = "Answer equal sources of --data once, wherever they stand.")
    boolean distinct;

    @Option(names = "--limit", paramLabel = "N", description = "Answer only the first N sources.")
    Integer limit;

    @Option(names = "--raw", description = "Continue the source itself: no token that ends it comes between.")
    boolean raw;

    @Option(
            names = "--beams",
            paramLabel = "N",
            defaultValue = "1",
            description = "Beam search with N beams; 1: greedy, or sampling where one of its options is given.")
    int beams;

    @Option(
            names = "--length-penalty",
            paramLabel = "X",
            defaultValue = "1.0",
            description = "Beam scores are divided by (new tokens)^X.")
    double lengthPenalty;

    @Option(names = "--temperature", paramLabel = "X", description = "Sample; logits are divided by X.")
    Double temperature;

    @Option(names = "--top-k", paramLabel = "K", description = "Sample among the K most likely tokens.")
    Integer topK;

    @Option(names = "--top-p", paramLabel = "P", description = "Sample among the most likely tokens of mass P.")
    Double topP;

    @Option(
            names = "--min-p",
            paramLabel = "P",
            description = "Sample among tokens at least P times as likely as the likeliest.")
    Double minP;

    @Option(names = "--max-new-tokens", paramLabel = "N", defaultValue = "80", description = "Longest output.")
    int maxNewTokens;

    @Option(
            names = "--min-new-tokens",
            paramLabel = "N",
            defaultValue = "0",
            description = "No output ends before it has so many.")
    int minNewTokens;

    @Option(
            names = "--no-repeat-ngram",
            paramLabel = "N",
            defaultValue = "0",
            description = "No N tokens in a row occur twice; 0: they may.")
    int noRepeatNgram;

    @Option(
            names = "--no-repeat-ngram-in",
            paramLabel = "W",
            defaultValue = "all",
            description = "Where they are counted: all: source and output, as Transformers does; output: the output may"
                    + " repeat its source, as texts about a table must.")
    String noRepeatNgramIn;

    @Option(
            names = "--repetition-penalty",
            paramLabel = "X",
            defaultValue = "1.0",
            description = "Tokens that source or output have already get less likely: positive scores are divided by X,"
                    + " others multiplied; 1: none.")
    double repetitionPenalty;

    @Option(
            names = "--n-best",
            paramLabel = "N",
            defaultValue = "1",
            description =
                    "N outputs for each source, each on a line with rank and score before it: the best of --beams with"
                            + " their scores, or N samples with their log-probabilities.")
    int nBest;

    @Option(
            names = "--batch-size",
            paramLabel = "N",
            defaultValue = "16",
            description = "Sources answered side by side.")
    int batchSize;

    @Option(
            names = "--out",
            paramLabel = "FILE",
            description = "Write the outputs there, a line each, instead of to standard output; a file of that name is"
                    + " replaced.")
    Path out;

    @Option(
            names = "--recipe",
            paramLabel = "R",
            description = "How the paper decodes e2e, webnlg, dart or xsum, where options do not say otherwise"
                    + " (docs/recipes.md).")
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
                    spec.commandLine(), "expected --beams or --temperature, --top-k, --top-p and --min-p, found both");
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
        if (batchSize < 1) {
            throw new InputException("batch-size must be at least 1, was " + batchSize);
        }
    }

    @Override
    public Integer call() {
        settle();
        compat.note(prefix, console);
        if (out != null && (Files.isDirectory(out) || out.toAbsolutePath().getParent() == null)) {
            throw new InputException(out + ": expected the name of a file to write, found a folder");
        }
        if (out != null && !Files.isWritable(out.toAbsolutePath().getParent())) {
            throw new InputException(out + ": cannot be written: expected a folder that exists and can be written to");
        }
        Device device = runtimeOptions.start();
        List<Example> sources = sources();
        StringBuilder lines = new StringBuilder();
        try (TensorScope _ = new TensorScope()) {
            BaseModel model = modelOptions.load(device, console, precision.parse());
            Path adapter = modelOptions.adapter(prefix, console);
            Conditioned conditioned = ModelOptions.conditioned(adapter, model, precision::freezeForDecoding);
            try (Tokenizer tokenizer = modelOptions.tokenizer(model)) {
                modelOptions.checkBase(adapter, model, tokenizer, console);
                List<int[]> prompts = prompts(sources, tokenizer, model, conditioned.taken());
                OutputRules rules = rules(compat.never(tokenizer));
                Decoding decoding = decoding();
                requireMemory(model, prompts, conditioned.taken());
                Generator generator = new Generator(conditioned);
                try (Progress progress = new Progress(console, "generate", out == null ? 0 : prompts.size())) {
                    for (int from = 0; from < prompts.size(); from += batchSize) {
                        int to = Math.min(from + batchSize, prompts.size());
                        List<List<Generation>> results =
                                generator.generate(prompts.subList(from, to), decoding, rules, nBest);
                        for (int i = from; i < to; i++) {
                            List<Generation> outputs = results.get(i - from);
                            for (int rank = 1; rank <= outputs.size(); rank++) {
                                String line = line(sources.get(i), outputs.get(rank - 1), rank, tokenizer);
                                if (out == null) {
                                    console.out().println(line);
                                } else {
                                    lines.append(line).append('\n');
                                }
                            }
                        }
                        progress.to(to);
                    }
                }
            }
        }
        if (out != null) {
            AtomicFile.write(out, lines.toString());
            console.say("%,d outputs in %s", sources.size(), out);
        }
        return Main.OK;
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
                    : dataOptions.readSources(data, null, Layout.CLEAN); // evaluate groups so
            List<Example> wanted = Example.distinct(examples, keys);
            return limit == null ? wanted : wanted.subList(0, Math.min(limit, wanted.size()));
        }
        List<String> texts = prompt != null ? List.of(prompt) : standardInput();
        List<Example> sources = new ArrayList<>();
        for (int i = 0; i < texts.size(); i++) {
            String name = prompt != null ? "--prompt" : "standard input:" + (i + 1);
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
                    "standard input: cannot be read: " + e.getCause().getMessage(), e);
        }
    }

    private List<int[]> prompts(List<Example> sources, Tokenizer tokenizer, BaseModel model, int past) {
        List<int[]> prompts = new ArrayList<>();
        for (Example source : sources) {
            int[] ids = tokenizer.begin(tokenizer
                    .encode(List.of(source.source()), _ -> source.location())
                    .getFirst());
            if (!raw) {
                ids = Sequences.withBos(ids, model.config().bos());
            }
            int[] cut = modelOptions.cutPrompt(ids, tokenizer, !raw);
            modelOptions.requireRoom(model, source, past, cut.length, maxNewTokens);
            prompts.add(cut);
        }
        return prompts;
    }

    /** Refuses keys and values that no memory holds; every row of a batch has as many as the longest. */
    private void requireMemory(BaseModel model, List<int[]> prompts, int past) {
        double rows = (double) Math.min(batchSize, prompts.size()) * Math.max(beams, nBest);
        int tokens = past
                + maxNewTokens
                + prompts.stream().mapToInt(ids -> ids.length).max().orElse(0);
        double numbers = tokens * 2.0 * model.config().layers() * model.config().width()
                + model.config().vocabulary();
        OptionBounds.requireMemory(
                Float.BYTES * rows * numbers,
                "--batch-size %,d, --beams %,d, --max-new-tokens %,d".formatted(batchSize, beams, maxNewTokens),
                "the keys and values of a batch");
    }

    private String line(Example source, Generation generation, int rank, Tokenizer tokenizer) {
        String text = tokenizer.decode(generation.ids());
        if (!json) {
            String oneLine = text.strip().replaceAll("\\p{Cntrl}+", " "); // safe on a terminal
            return nBest == 1 ? oneLine : String.format(Locale.ROOT, "%d\t%.4f\t%s", rank, generation.score(), oneLine);
        }
        ObjectNode node = JSON.createObjectNode();
        node.put("source", source.source());
        ArrayNode ids = node.putArray("ids");
        for (int id : generation.ids()) {
            ids.add(id);
        }
        node.put("text", text.strip());
        node.put("finished", generation.finished());
        if (nBest > 1) {
            node.put("rank", rank).put(beams == 1 ? "log_probability" : "score", generation.score());
        }
        return node.toString();
    }
}
