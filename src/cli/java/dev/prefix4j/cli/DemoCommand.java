package dev.prefix4j.cli;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.prefix4j.AtomicFile;
import dev.prefix4j.InputException;
import dev.prefix4j.eval.Bleu;
import dev.prefix4j.generate.Decoding;
import dev.prefix4j.generate.OutputRules;
import dev.prefix4j.task.AdaptedModel;
import dev.prefix4j.task.BuiltIns;
import dev.prefix4j.task.Encoding;
import dev.prefix4j.task.Engine;
import dev.prefix4j.task.GenerationJob;
import dev.prefix4j.task.LanguageModel;
import dev.prefix4j.text.DataFile;
import dev.prefix4j.text.DataOptions;
import dev.prefix4j.text.Example;
import dev.prefix4j.train.RunDirectory;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

@Command(
        name = "demo",
        description =
                "Shows prefix-tuning end to end in a few minutes: what the bundled model writes for restaurant tables"
                        + " before and after a prefix is trained.")
final class DemoCommand extends ConsoleCommand {
    private static final String MODEL = "builtin:tiny";
    private static final Path TEST = Path.of("builtin:e2e/test");
    private static final int SHOWN = 3;
    private static final int NEW_TOKENS = 60;
    private static final Decoding BEAMS = new Decoding.BeamSearch(5, 1); // as the paper decodes, section 5.3
    private static final OutputRules SIMPLE = OutputRules.atMost(NEW_TOKENS);
    private static final OutputRules NO_REPEATS = new OutputRules(NEW_TOKENS, 0, 3, OutputRules.Counted.OUTPUT);
    private static final int BATCH = 20;
    private static final List<String> TRAINING = List.of(
            OptionNames.MODEL,
            MODEL,
            OptionNames.DATA,
            "builtin:e2e/train",
            OptionNames.VALID,
            "builtin:e2e/valid",
            OptionNames.PREFIX_LENGTH,
            "20",
            OptionNames.BATCH_SIZE,
            "16",
            OptionNames.LR,
            "2e-3",
            OptionNames.WARMUP,
            "60",
            OptionNames.VALID_EVERY,
            "200",
            OptionNames.PRECISION,
            "int8");

    @Option(
            names = OptionNames.OUT,
            paramLabel = "DIR",
            defaultValue = "prefix4j-demo",
            description = "Folder for the run, new or empty.")
    Path out;

    @Option(names = OptionNames.STEPS, paramLabel = "N", defaultValue = "1000", description = "Training steps.")
    int steps;

    @Mixin
    RuntimeOptions runtimeOptions;

    DemoCommand(Console console) {
        super(console);
    }

    /**
     * What was generated for the test sources.
     *
     * @param texts by beam search without repeated 3-grams
     * @param greedyTexts by greedy decoding
     */
    private record Outputs(List<String> texts, double bleu, List<String> greedyTexts, double greedyBleu) {}

    @Override
    public Integer call() {
        if (steps < 1) {
            throw new InputException("steps must be at least 1, was " + steps);
        }
        RunDirectory.requireNew(out, "`scripts/prefix4j train --resume --out " + out + "`");
        RunOptions.requireWritable(out);
        runtimeOptions.start();
        List<Example> test = Example.distinct(DataFile.read(BuiltIns.data(TEST), DataOptions.DEFAULTS));
        long weights;
        Outputs continued;
        Outputs asked;
        try (LanguageModel model = console.models().load(MODEL, runtimeOptions.device)) {
            weights = model.base().parameterCount();
            AdaptedModel alone = AdaptedModel.alone(model, Engine.FP32, AdaptedModel.Use.DECODING);
            heading("The base model, %s, has %,d parameters. It continues restaurant tables:", MODEL, weights);
            continued = write(alone, test, Encoding.CLEAN.beginnings(test, model, alone.taken(), NEW_TOKENS));
            show(test, continued.greedyTexts());
            heading("Asked for a text, by the token that ends a document, it does better, since it has read records of"
                    + " ships and towns:");
            asked = write(alone, test, Encoding.CLEAN.prompts(test, model, alone.taken(), NEW_TOKENS));
            show(test, asked.greedyTexts());
        }

        heading("A prefix is trained; the model stays as it is:");
        if (!train()) {
            return Main.OK; // interrupted: how to resume has been printed
        }

        heading("The same tables with the prefix before them:");
        Outputs after;
        long kept;
        try (LanguageModel model = console.models().load(MODEL, runtimeOptions.device)) {
            AdaptedModel prefixed =
                    AdaptedModel.of(model, RunDirectory.adapterIn(out), Engine.FP32, AdaptedModel.Use.DECODING);
            kept = prefixed.activations();
            after = write(prefixed, test, Encoding.CLEAN.prompts(test, model, prefixed.taken(), NEW_TOKENS));
        }
        show(test, after.texts());
        report(test.size(), continued, asked, after, weights, kept);
        return Main.OK;
    }

    private Outputs write(AdaptedModel model, List<Example> test, List<int[]> prompts) {
        List<String> greedy = new ArrayList<>();
        List<String> beams = new ArrayList<>();
        try (Progress progress = new Progress(console, "write", test.size())) {
            for (int from = 0; from < test.size(); from += BATCH) {
                List<int[]> batch = prompts.subList(from, Math.min(from + BATCH, test.size()));
                write(model, new Decoding.Greedy(), SIMPLE, batch, greedy);
                write(model, BEAMS, NO_REPEATS, batch, beams);
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

    private static void write(
            AdaptedModel model, Decoding decoding, OutputRules rules, List<int[]> prompts, List<String> lines) {
        new GenerationJob(model, decoding, rules, 1, BATCH)
                .write(prompts, (_, outputs) -> lines.add(outputs.getFirst().line()));
    }

    private void bleu(String what, Outputs outputs) {
        console.out().printf("           %-23s %6.1f   %6.1f%n", what, outputs.greedyBleu(), outputs.bleu());
    }

    /** @return whether the run reached its end */
    private boolean train() {
        List<String> line = new ArrayList<>(List.of("train"));
        line.addAll(TRAINING);
        line.addAll(List.of(
                OptionNames.STEPS,
                Integer.toString(steps),
                OptionNames.SEED,
                Long.toString(runtimeOptions.seed),
                OptionNames.OUT,
                out.toString()));
        console.say("  scripts/prefix4j %s%n", String.join(" ", line));
        if (runtimeOptions.threads != null) {
            line.addAll(List.of(OptionNames.THREADS, runtimeOptions.threads.toString()));
        }
        line.addAll(List.of(OptionNames.DEVICE, runtimeOptions.device));
        return Main.perform(console, line, TrainCommand.class, command -> command.train(_ -> {}))
                .orElseThrow(() -> new InputException("the training failed"))
                .finished();
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
                        "BLEU       %.1f before (the model continues, greedily), %.1f after (prefix, 5 beams); %d test"
                                + " sources, by decoding:%n",
                        continued.greedyBleu(), after.bleu(), sources);
        console.out().printf("                                   greedy   5 beams, no repeated 3-gram%n");
        bleu("continuing the table", continued);
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
