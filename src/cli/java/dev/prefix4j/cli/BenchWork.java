package dev.prefix4j.cli;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.prefix4j.kernels.Kernels;
import dev.prefix4j.torch.TorchRuntime;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** What both benchmarks need. */
abstract class BenchWork extends ConsoleCommand {
    @Mixin
    ModelOptions modelOptions;

    @Option(names = OptionNames.DATA, paramLabel = "FILE", required = true, description = "Sources and targets.")
    Path data;

    @Option(names = OptionNames.PREFIX_LENGTH, paramLabel = "N", defaultValue = "10", description = "Virtual tokens.")
    int prefixLength;

    @Mixin
    PrecisionOption precision;

    @Mixin
    DataOptionsMixin dataOptions;

    @Mixin
    RuntimeOptions runtimeOptions;

    BenchWork(Console console) {
        super(console);
    }

    /** The fields that every result has. */
    ObjectNode result(String work) {
        ObjectNode node = JSON.createObjectNode();
        node.put("program", "prefix4j bench " + work).put("precision", precision.precision);
        node.put("kernels", Kernels.describe())
                .put("threads", TorchRuntime.require().threads());
        return node;
    }

    void print(ObjectNode node) {
        node.put("peak_mib", peakMib());
        if (json) {
            console.out().println(node);
        } else {
            node.properties().stream()
                    .filter(field -> !field.getValue().isArray())
                    .forEach(field -> console.out().printf("%-18s %s%n", field.getKey(), text(field.getValue())));
        }
    }

    private static String text(JsonNode value) {
        if (!value.isFloatingPointNumber()) {
            return value.asText();
        }
        double number = value.doubleValue();
        return String.format(Locale.ROOT, Math.abs(number) < 100 ? "%.4g" : "%,.0f", number);
    }

    /** Peak resident memory of this process in MiB; 0 if the system does not report it. */
    private static double peakMib() {
        try (var lines = Files.lines(Path.of("/proc/self/status"))) {
            return lines.filter(line -> line.startsWith("VmHWM:"))
                            .mapToLong(line -> Long.parseLong(line.replaceAll("\\D", "")))
                            .findFirst()
                            .orElse(0)
                    / 1024.0;
        } catch (IOException e) {
            return 0;
        }
    }

    static double median(List<Double> values) {
        List<Double> sorted = values.stream().sorted().toList();
        int middle = sorted.size() / 2;
        return sorted.size() % 2 == 1 ? sorted.get(middle) : (sorted.get(middle - 1) + sorted.get(middle)) / 2;
    }
}
