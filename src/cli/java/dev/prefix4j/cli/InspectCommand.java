package dev.prefix4j.cli;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.prefix4j.AtomicFile;
import dev.prefix4j.InputException;
import dev.prefix4j.frozen.Conditioned;
import dev.prefix4j.frozen.FrozenModel;
import dev.prefix4j.frozen.SoftPrompt;
import dev.prefix4j.generate.Decoding;
import dev.prefix4j.generate.Generation;
import dev.prefix4j.generate.Generator;
import dev.prefix4j.method.AdapterFolder;
import dev.prefix4j.method.Freezer;
import dev.prefix4j.method.Inspection;
import dev.prefix4j.method.SoftPromptTuner;
import dev.prefix4j.model.BaseModel;
import dev.prefix4j.report.HeatMap;
import dev.prefix4j.text.Example;
import dev.prefix4j.text.Sequences;
import dev.prefix4j.text.Tokenizer;
import dev.prefix4j.torch.TensorScope;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.stream.IntStream;
import org.bytedeco.pytorch.Device;
import org.bytedeco.pytorch.Tensor;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

@Command(
        name = "inspect",
        description = "Looks inside an adapter: sizes, norms, the words nearest to virtual tokens, the attention that"
                + " generated tokens give to a prefix, and how alike two prefixes are.")
final class InspectCommand extends ConsoleCommand {
    private static final int NEAREST = 5;
    private static final int NEW_TOKENS = 60;

    @Spec
    CommandSpec spec;

    @Parameters(index = "0", paramLabel = "ADAPTER", description = AdapterName.DESCRIPTION + ".")
    Path adapter;

    @Mixin
    ModelOptions modelOptions;

    @Option(
            names = "--with",
            paramLabel = "DIR",
            description = "Another adapter, to compare with: a folder, or a name on the hub.")
    Path other;

    @Option(
            names = "--data",
            paramLabel = "FILE",
            description = "Sources: their targets are generated, and the attention that these give to the prefix is"
                    + " measured.")
    Path data;

    @Option(names = "--limit", paramLabel = "N", defaultValue = "20", description = "Distinct sources of --data.")
    int limit;

    @Option(names = "--out", paramLabel = "FILE", description = "Write the attention as a heat map, an HTML file.")
    Path out;

    @Mixin
    DataOptionsMixin dataOptions;

    @Mixin
    RuntimeOptions runtimeOptions;

    InspectCommand(Console console) {
        super(console);
    }

    @Override
    public Integer call() {
        if (out != null && data == null) {
            throw new ParameterException(spec.commandLine(), "--out: expected --data with it, found none");
        }
        DataOptionsMixin.requireLimit(limit);
        Device device = runtimeOptions.start();
        List<Example> sources = data == null
                ? List.of()
                : Example.distinct(dataOptions.readSources(data, null, dev.prefix4j.text.Layout.CLEAN));
        try (TensorScope _ = new TensorScope()) {
            BaseModel model = modelOptions.load(device, console);
            Freezer freezer = (base, changes) -> new FrozenModel(
                    base,
                    changes,
                    FrozenModel.Options.of(base, dev.prefix4j.frozen.Precision.FP32)
                            .forDecoding());
            adapter = modelOptions.adapter(adapter, console);
            other = AdapterName.resolve(other, console);
            AdapterFolder.Contents contents = AdapterFolder.load(adapter, model.config(), device);
            Conditioned conditioned = contents.method().apply(model, freezer, contents.tensors());
            ObjectNode node = JSON.createObjectNode();
            node.put("method", contents.method().name());
            node.put("numbers", contents.method().storedNumbers(model.config()));
            ObjectNode tensors = node.putObject("tensors");
            contents.tensors().forEach((name, tensor) -> {
                ArrayNode shape = tensors.putArray(name);
                Arrays.stream(tensor.sizes().vec().get()).forEach(shape::add);
            });
            SoftPrompt prompt = conditioned.prompt();
            if (data != null && !Inspection.hasAttention(model, prompt)) {
                throw new ParameterException(
                        spec.commandLine(),
                        "--data: attention is measured to what stands before the source in all layers, found an"
                                + " adapter of method "
                                + contents.method().name());
            }
            if (prompt.length() > 0) {
                norms(prompt, model, node);
            }
            Tensor vectors = contents.tensors().get(SoftPromptTuner.VECTORS);
            try (Tokenizer tokenizer = modelOptions.tokenizer(model)) {
                modelOptions.checkBase(adapter, model, tokenizer, console);
                modelOptions.checkBase(other, model, tokenizer, console);
                if (vectors != null && vectors.size(1) == model.config().width()) {
                    words(vectors, model, tokenizer, node);
                }
                if (data != null) {
                    List<Example> some = sources.subList(0, Math.min(limit, sources.size()));
                    attention(conditioned, model, tokenizer, some, node);
                }
            }
            if (other != null) {
                similarity(prompt, model, freezer, node);
            }
            print(node);
        }
        return Main.OK;
    }

    private static void norms(SoftPrompt prompt, BaseModel model, ObjectNode node) {
        ArrayNode keys = node.putArray("key_norms");
        ArrayNode values = node.putArray("value_norms");
        for (Inspection.Norms norms : Inspection.norms(prompt, model.config())) {
            keys.add(norms.keys());
            values.add(norms.values());
        }
    }

    private static void words(Tensor vectors, BaseModel model, Tokenizer tokenizer, ObjectNode node) {
        ArrayNode all = node.putArray("nearest_words");
        for (List<Inspection.Near> near : Inspection.nearest(model, vectors, NEAREST)) {
            ArrayNode row = all.addArray();
            near.forEach(one -> row.addObject()
                    .put("word", tokenizer.decode(new int[] {one.token()}))
                    .put("cosine", one.cosine()));
        }
    }

    private void attention(
            Conditioned conditioned, BaseModel model, Tokenizer tokenizer, List<Example> sources, ObjectNode node) {
        List<int[]> prompts = sources.stream()
                .map(source -> modelOptions.cutPrompt(
                        Sequences.prompt(
                                source.source(), tokenizer, model.config().bos()),
                        tokenizer,
                        true))
                .toList();
        for (int i = 0; i < prompts.size(); i++) {
            modelOptions.requireRoom(model, sources.get(i), conditioned.taken(), prompts.get(i).length, NEW_TOKENS);
        }
        List<Generation> written = new Generator(conditioned).generate(prompts, new Decoding.Greedy(), NEW_TOKENS);
        List<int[]> sequences = new ArrayList<>();
        int[] from = new int[prompts.size()];
        for (int i = 0; i < from.length; i++) {
            // the token that ends the prompt writes the first new one
            from[i] = prompts.get(i).length - 1;
            int[] ids = written.get(i).ids();
            sequences.add(IntStream.concat(
                            Arrays.stream(prompts.get(i)), Arrays.stream(ids, 0, Math.max(0, ids.length - 1)))
                    .toArray());
        }
        double[][] mass = Inspection.attention(model, conditioned.prompt(), sequences, from);
        ArrayNode rows = node.putArray("attention");
        for (double[] heads : mass) {
            ArrayNode row = rows.addArray();
            Arrays.stream(heads).forEach(row::add);
        }
        if (out != null) {
            AtomicFile.write(
                    out,
                    HeatMap.page(
                            "Attention to the prefix",
                            modelOptions.name,
                            "%s, %d generated texts: the share of their attention that generated tokens give to the %d virtual tokens."
                                    .formatted(
                                            adapter,
                                            sources.size(),
                                            conditioned.prompt().length()),
                            "layer",
                            "head",
                            mass));
            console.say("heat map in %s", out);
        }
    }

    private void similarity(SoftPrompt prompt, BaseModel model, Freezer freezer, ObjectNode node) {
        AdapterFolder.Contents contents = AdapterFolder.load(other, model.config(), model.device());
        SoftPrompt with =
                contents.method().apply(model, freezer, contents.tensors()).prompt();
        try {
            ArrayNode cosines = node.putArray("cosine_by_layer");
            Arrays.stream(Inspection.similarity(prompt, with, model.config())).forEach(cosines::add);
        } catch (InputException e) {
            throw new InputException("%s and %s: %s".formatted(adapter, other, e.getMessage()), e);
        }
    }

    private void print(ObjectNode node) {
        if (json) {
            console.out().println(node);
            return;
        }
        console.out()
                .printf(
                        "method     %s, %,d parameters%n",
                        node.path("method").asText(), node.path("numbers").asLong());
        node.path("tensors").properties().stream()
                .limit(4)
                .forEach(tensor -> console.out().printf("tensor     %s %s%n", tensor.getKey(), tensor.getValue()));
        int more = node.path("tensors").size() - 4;
        if (more > 0) {
            console.out().printf("           and %,d more%n", more);
        }
        if (node.has("key_norms") || node.has("attention") || node.has("cosine_by_layer")) {
            console.out()
                    .printf(
                            "layer%s%s%s%n",
                            node.has("key_norms") ? "   keys  values" : "",
                            node.has("cosine_by_layer") ? "  cosine" : "",
                            node.has("attention") ? "  attention by head" : "");
            int layers = Math.max(
                    node.path("key_norms").size(),
                    Math.max(
                            node.path("attention").size(),
                            node.path("cosine_by_layer").size()));
            for (int layer = 0; layer < layers; layer++) {
                StringBuilder line = new StringBuilder("%5d".formatted(layer));
                if (node.has("key_norms")) {
                    line.append(number(
                                    "%7.2f", node.path("key_norms").path(layer).asDouble()))
                            .append(number(
                                    "%8.2f",
                                    node.path("value_norms").path(layer).asDouble()));
                }
                if (node.has("cosine_by_layer")) {
                    line.append(number(
                            "%8.3f", node.path("cosine_by_layer").path(layer).asDouble()));
                }
                if (node.has("attention")) {
                    line.append(' ');
                    node.path("attention").path(layer).forEach(head -> line.append(number(" %.2f", head.asDouble())));
                }
                console.out().println(line);
            }
        }
        int index = 0;
        for (var near : node.path("nearest_words")) {
            StringBuilder line = new StringBuilder("token %-3d ".formatted(index++));
            near.forEach(one -> line.append('"')
                    .append(one.path("word").asText().replaceAll("\\p{Cntrl}", "·"))
                    .append(number("\" %.2f  ", one.path("cosine").asDouble())));
            console.out().println(line.toString().stripTrailing());
        }
    }

    private static String number(String format, double value) {
        return String.format(Locale.ROOT, format, value);
    }
}
