package dev.prefix4j.cli;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.prefix4j.AtomicFile;
import dev.prefix4j.InputException;
import dev.prefix4j.method.Inspection;
import dev.prefix4j.report.HeatMap;
import dev.prefix4j.task.AdapterInspection;
import dev.prefix4j.task.LanguageModel;
import dev.prefix4j.text.Example;
import dev.prefix4j.text.Layout;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import org.jspecify.annotations.Nullable;
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
                + " generated tokens give to a prefix, and the similarity of two prefixes.")
final class InspectCommand extends ConsoleCommand {
    private static final int NEAREST = 5;

    @Spec
    CommandSpec spec;

    @Parameters(index = "0", paramLabel = "ADAPTER", description = AdapterOption.DESCRIPTION + ".")
    Path adapter;

    @Mixin
    ModelOptions modelOptions;

    @Option(
            names = "--with",
            paramLabel = "DIR",
            description = "Another adapter, to compare with: a folder, or a name on the hub.")
    @Nullable
    Path other;

    @Option(
            names = OptionNames.DATA,
            paramLabel = "FILE",
            description =
                    "Sources whose targets are generated, to measure the attention that these give to the prefix.")
    @Nullable
    Path data;

    @Option(
            names = OptionNames.LIMIT,
            paramLabel = "N",
            defaultValue = "20",
            description = "Use only the first N distinct sources of --data.")
    int limit;

    @Option(
            names = OptionNames.OUT,
            paramLabel = "FILE",
            description = "Write the attention as a heat map, an HTML file.")
    @Nullable
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
        runtimeOptions.start();
        List<Example> sources =
                data == null ? List.of() : Example.distinct(dataOptions.readSources(data, null, Layout.CLEAN));
        try (LanguageModel model = modelOptions.load(runtimeOptions, console)) {
            Path folder = console.models().adapterFolder(adapter);
            Path otherFolder = AdapterOption.resolve(other, console);
            AdapterInspection inspection = new AdapterInspection(model, folder, adapter.toString());
            if (data != null && !inspection.hasAttention()) {
                throw new ParameterException(
                        spec.commandLine(),
                        "--data: expected an adapter that all layers attend to before the source, found one of"
                                + " method "
                                + inspection.method());
            }
            modelOptions.checkBase(folder, model, console);
            modelOptions.checkBase(otherFolder, model, console);
            ObjectNode node = described(inspection);
            if (data != null) {
                attention(inspection, folder, sources.subList(0, Math.min(limit, sources.size())), node);
            }
            if (other != null && otherFolder != null) {
                similarity(
                        inspection,
                        folder,
                        new AdapterInspection(model, otherFolder, other.toString()),
                        otherFolder,
                        node);
            }
            print(node);
        }
        return Main.OK;
    }

    private static ObjectNode described(AdapterInspection inspection) {
        ObjectNode node = JSON.createObjectNode();
        node.put("method", inspection.method());
        node.put("numbers", inspection.parameters());
        ObjectNode tensors = node.putObject("tensors");
        inspection.shapes().forEach((name, shape) -> Arrays.stream(shape).forEach(tensors.putArray(name)::add));
        List<Inspection.Norms> norms = inspection.norms();
        if (!norms.isEmpty()) {
            ArrayNode keys = node.putArray("key_norms");
            ArrayNode values = node.putArray("value_norms");
            norms.forEach(layer -> {
                keys.add(layer.keys());
                values.add(layer.values());
            });
        }
        List<List<AdapterInspection.Word>> words = inspection.nearestWords(NEAREST);
        if (!words.isEmpty()) {
            ArrayNode all = node.putArray("nearest_words");
            for (List<AdapterInspection.Word> near : words) {
                ArrayNode row = all.addArray();
                near.forEach(one -> row.addObject().put("word", one.word()).put("cosine", one.cosine()));
            }
        }
        return node;
    }

    private void attention(AdapterInspection inspection, Path folder, List<Example> sources, ObjectNode node) {
        double[][] mass = inspection.attention(sources, modelOptions.encoding(Layout.CLEAN));
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
                                    .formatted(folder, sources.size(), inspection.length()),
                            "layer",
                            "head",
                            mass));
            console.say("heat map in %s", out);
        }
    }

    private static void similarity(
            AdapterInspection inspection, Path folder, AdapterInspection with, Path withFolder, ObjectNode node) {
        try {
            ArrayNode cosines = node.putArray("cosine_by_layer");
            Arrays.stream(inspection.similarity(with)).forEach(cosines::add);
        } catch (InputException e) {
            throw new InputException("%s and %s: %s".formatted(folder, withFolder, e.getMessage()), e);
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
        printLayers(node);
        int index = 0;
        for (var near : node.path("nearest_words")) {
            StringBuilder line = new StringBuilder("token %-3d ".formatted(index++));
            near.forEach(one -> line.append('"')
                    .append(one.path("word").asText().replaceAll("\\p{Cntrl}", "·"))
                    .append(number("\" %.2f  ", one.path("cosine").asDouble())));
            console.out().println(line.toString().stripTrailing());
        }
    }

    private void printLayers(ObjectNode node) {
        if (!node.has("key_norms") && !node.has("attention") && !node.has("cosine_by_layer")) {
            return;
        }
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
                line.append(number("%7.2f", node.path("key_norms").path(layer).asDouble()))
                        .append(number(
                                "%8.2f", node.path("value_norms").path(layer).asDouble()));
            }
            if (node.has("cosine_by_layer")) {
                line.append(
                        number("%8.3f", node.path("cosine_by_layer").path(layer).asDouble()));
            }
            if (node.has("attention")) {
                line.append(' ');
                node.path("attention").path(layer).forEach(head -> line.append(number(" %.2f", head.asDouble())));
            }
            console.out().println(line);
        }
    }

    private static String number(String format, double value) {
        return String.format(Locale.ROOT, format, value);
    }
}
