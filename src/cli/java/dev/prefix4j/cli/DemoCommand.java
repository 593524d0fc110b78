package dev.prefix4j.cli;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.prefix4j.AtomicFile;
import dev.prefix4j.InputException;
import dev.prefix4j.eval.Bleu;
import dev.prefix4j.frozen.Conditioned;
import dev.prefix4j.frozen.FrozenModel;
import dev.prefix4j.frozen.Precision;
import dev.prefix4j.generate.Decoding;
import dev.prefix4j.generate.Generation;
import dev.prefix4j.generate.Generator;
import dev.prefix4j.generate.OutputRules;
import dev.prefix4j.model.BaseModel;
import dev.prefix4j.text.DataFile;
import dev.prefix4j.text.DataOptions;
import dev.prefix4j.text.Example;
import dev.prefix4j.text.Sequences;
import dev.prefix4j.text.Tokenizer;
import dev.prefix4j.torch.TensorScope;
import dev.prefix4j.train.RunDirectory;
import java.io.IOException;
import java.io.OutputStream;
import java.io.PrintStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.bytedeco.pytorch.Device;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

@Command(
        name = "demo",
        description =
                "Shows prefix-tuning from end to end in a few minutes: what the built-in model writes for tables of"
                        + " restaurants before and after a prefix is trained.")
final class DemoCommand extends ConsoleCommand {
    private static final String MODEL = "builtin:tiny";
    private static final Path TEST = Path.of("builtin:e2e/test");
    private static final int SHOWN = 3;
    private static final Decoding BEAMS = new Decoding.BeamSearch(5, 1); // as the paper decodes, section 5.3
    private static final OutputRules SIMPLE = OutputRules.atMost(60);
    private static final OutputRules NOTHING_TWICE = new OutputRules(60, 0, 3, OutputRules.Counted.OUTPUT);
    private static final int BATCH = 20;
    private static final List<String> TRAINING = List.of(
            "--model",
            MODEL,
            "--data",
            "builtin:e2e/train",
            "--valid",
            "builtin:e2e/valid",
            "--prefix-length",
            "20",
            "--batch-size",
            "16",
            "--lr",
            "2e-3",
            "--warmup",
            "60",
            "--valid-every",
            "200",
            "--precision",
            "int8");

    private static final Prompt CONTINUED = (source, tokenizer, _) -> tokenizer.begin(tokenizer.encode(source));
    private static final Prompt ASKED = Sequences::prompt;

    @Option(
            names = "--out",
            paramLabel = "DIR",
            defaultValue = "prefix4j-demo",
            description = "Folder for the run, new or empty.")
    Path out;

    @Option(names = "--steps", paramLabel = "N", defaultValue = "1000", description = "Steps of training.")
    int steps;

    @Mixin
    RuntimeOptions runtimeOptions;

    DemoCommand(Console console) {
        super(console);
    }

    /** What comes before a text: its source, in ids. */
    private interface Prompt {
        int[] of(String source, Tokenizer tokenizer, int bos);
    }

    /**
     * What was written for the test sources.
     *
     * @param texts by beam search that says nothing twice
     * @param greedyTexts word by word
     */
    private record Outputs(List<String> texts, double bleu, List<String> greedyTexts, double greedyBleu) {}

    @Override
    public Integer call() {
        if (steps < 1) {
            throw new InputException("steps must be at least 1, was " + steps);
        }
        RunDirectory.requireNew(out, "`scripts/prefix4j train --resume --out " + out + "`");
        RunOptions.requireWritable(out);
        Device device = runtimeOptions.start();
        List<Example> test = Example.distinct(DataFile.read(BuiltIns.data(TEST), DataOptions.DEFAULTS));
        long weights;
        Outputs continued;
        Outputs asked;
        try (TensorScope _ = new TensorScope()) {
            ModelOptions model = modelOptions();
            BaseModel gpt2 = model.load(device, console);
            weights = gpt2.parameterCount();
            Conditioned alone = ModelOptions.conditioned(null, gpt2, DemoCommand::freeze);
            heading("The base model, %s, has %,d weights. It goes on with tables of restaurants:", MODEL, weights);
            continued = write(alone, gpt2, model, test, CONTINUED);
            show(test, continued.greedyTexts());
            heading("Asked for a text, by the token that ends a document, it does better: it has read records of ships"
                    + " and towns:");
            asked = write(alone, gpt2, model, test, ASKED);
            show(test, asked.greedyTexts());
        }

        heading("A prefix is trained; the model stays as it is:");
        List<String> train = new ArrayList<>(List.of("train"));
        train.addAll(TRAINING);
        train.addAll(List.of(
                "--steps",
                Integer.toString(steps),
                "--seed",
                Long.toString(runtimeOptions.seed),
                "--out",
                out.toString()));
        console.say("  scripts/prefix4j %s%n", String.join(" ", train));
        if (!train(train)) {
            return Main.OK; // interrupted: the way to go on has been said
        }

        heading("The same tables with the prefix before them:");
        Outputs after;
        long kept;
        try (TensorScope _ = new TensorScope()) {
            ModelOptions model = modelOptions();
            BaseModel gpt2 = model.load(device, console);
            Conditioned prefixed = ModelOptions.conditioned(out.resolve("adapter"), gpt2, DemoCommand::freeze);
            kept = prefixed.prompt().activations().numel();
            after = write(prefixed, gpt2, model, test, ASKED);
        }
        show(test, after.texts());
        report(test.size(), continued, asked, after, weights, kept);
        return Main.OK;
    }

    private static ModelOptions modelOptions() {
        ModelOptions options = new ModelOptions();
        options.name = MODEL;
        return options;
    }

    private static FrozenModel freeze(BaseModel model, FrozenModel.Changes changes) {
        return new FrozenModel(
                model, changes, FrozenModel.Options.of(model, Precision.FP32).forDecoding());
    }

    private Outputs write(
            Conditioned conditioned, BaseModel gpt2, ModelOptions model, List<Example> test, Prompt prompt) {
        List<String> greedy = new ArrayList<>();
        List<String> beams = new ArrayList<>();
        try (Tokenizer tokenizer = model.tokenizer(gpt2);
                Progress progress = new Progress(console, "write", test.size())) {
            Generator generator = new Generator(conditioned);
            for (int from = 0; from < test.size(); from += BATCH) {
                List<int[]> prompts = test.subList(from, Math.min(from + BATCH, test.size())).stream()
                        .map(example -> prompt.of(
                                example.source(), tokenizer, gpt2.config().bos()))
                        .toList();
                greedy.addAll(texts(generator.generate(prompts, new Decoding.Greedy(), SIMPLE), tokenizer));
                beams.addAll(texts(generator.generate(prompts, BEAMS, NOTHING_TWICE), tokenizer));
                progress.to(beams.size());
            }
        }
        List<List<String>> references = test.stream().map(Example::targets).toList();
        return new Outputs(
                beams,
                Bleu.DEFAULT.corpus(beams, references).score(),
                greedy,
                Bleu.DEFAULT.corpus(greedy, references).score());
    }

    private static List<String> texts(List<Generation> generations, Tokenizer tokenizer) {
        return generations.stream()
                .map(one -> tokenizer.decode(one.ids()).strip().replaceAll("\\p{Cntrl}+", " "))
                .toList();
    }

    private void bleu(String what, Outputs outputs) {
        console.out().printf("           %-23s %6.1f   %6.1f%n", what, outputs.greedyBleu(), outputs.bleu());
    }

    /** @return whether the run got to its end */
    private boolean train(List<String> arguments) {
        List<String> line = new ArrayList<>(arguments);
        if (runtimeOptions.threads != null) {
            line.addAll(List.of("--threads", runtimeOptions.threads.toString()));
        }
        line.addAll(List.of("--device", runtimeOptions.device));
        int code = Main.run(
                line.toArray(String[]::new),
                console.in(),
                new PrintStream(
                        OutputStream.nullOutputStream(), true, StandardCharsets.UTF_8), // the demo has its own summary
                console.err(),
                console.environment());
        if (code != Main.OK) {
            throw new InputException("the training did not succeed");
        }
        Path metrics = out.resolve("metrics.jsonl");
        if (!Files.exists(metrics)) {
            return false; // interrupted before the first step
        }
        try (Stream<String> lines = Files.lines(metrics)) {
            for (String step : (Iterable<String>) lines::iterator) {
                if (JSON.readTree(step).path("step").asInt() == steps) {
                    return true;
                }
            }
            return false;
        } catch (JsonProcessingException e) {
            throw new IllegalStateException(e);
        } catch (IOException | UncheckedIOException e) {
            throw AtomicFile.cannotRead(metrics, e instanceof UncheckedIOException u ? u.getCause() : (IOException) e);
        }
    }

    private void heading(String format, Object... arguments) {
        console.say("%n" + format + "%n", arguments);
    }

    private void show(List<Example> test, List<String> texts) {
        for (int i = 0; i < SHOWN; i++) {
            int row = i * test.size() / SHOWN;
            console.say("  %s%n    → %s%n", test.get(row).source(), texts.get(row));
        }
    }

    private void report(int sources, Outputs continued, Outputs asked, Outputs after, long weights, long kept) {
        long bytes;
        try {
            bytes = Files.size(out.resolve("adapter/adapter_model.safetensors"));
        } catch (IOException e) {
            throw AtomicFile.cannotRead(out, e);
        }
        if (json) {
            ObjectNode node = JSON.createObjectNode();
            node.put("bleu_before", continued.greedyBleu()).put("bleu_after", after.bleu());
            ObjectNode greedy = node.putObject("bleu_greedy");
            greedy.put("continued", continued.greedyBleu())
                    .put("asked", asked.greedyBleu())
                    .put("prefix", after.greedyBleu());
            ObjectNode beams = node.putObject("bleu_beams");
            beams.put("continued", continued.bleu()).put("asked", asked.bleu()).put("prefix", after.bleu());
            node.put("weights", weights).put("prefix_numbers", kept).put("adapter_bytes", bytes);
            console.out().println(node.put("run", out.toString()));
            return;
        }
        console.out()
                .printf(
                        "BLEU       %.1f before (the model goes on, greedily), %.1f after (prefix, 5 beams); %d test"
                                + " sources, like with like:%n",
                        continued.greedyBleu(), after.bleu(), sources);
        console.out().printf("                                   greedy   5 beams, no three tokens twice%n");
        bleu("going on with the table", continued);
        bleu("asked for a text", asked);
        bleu("with the prefix", after);
        console.out()
                .printf(
                        "prefix     %,d parameters, %.2f %% of the model's %,d%n",
                        kept, 100.0 * kept / weights, weights);
        console.out().printf("adapter    %s, %,d bytes%n", out.resolve("adapter"), bytes);
        console.out().printf("run        %s: report.html, metrics.jsonl, config.json%n", out);
        console.out()
                .printf(
                        "try it     scripts/prefix4j generate --model %s --prefix %s --beams 5 --no-repeat-ngram 3"
                                + " --no-repeat-ngram-in output --prompt \"name : The Mill | food : Italian\"%n",
                        MODEL, out.resolve("adapter"));
    }
}
