package dev.prefix4j.cli;

import dev.prefix4j.InputException;
import dev.prefix4j.method.AdapterTuning;
import dev.prefix4j.method.EmbeddingTuning;
import dev.prefix4j.method.FineTuning;
import dev.prefix4j.method.InfixEmbeddingTuning;
import dev.prefix4j.method.InfixTuning;
import dev.prefix4j.method.LayerTuning;
import dev.prefix4j.method.LoraTuning;
import dev.prefix4j.method.Method;
import dev.prefix4j.method.PrefixTuning;
import dev.prefix4j.method.TopTuning;
import dev.prefix4j.method.Vectors;
import dev.prefix4j.model.ModelConfig;
import dev.prefix4j.prefix.PrefixEncoder.Reparametrization;
import dev.prefix4j.task.MachineMemory;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;

/** How a model is adapted. */
final class MethodOptions {
    private static final Pattern RANGE = Pattern.compile("(\\d{1,4})(?:-(\\d{1,4}))?");
    private static final List<String> NAMES = List.of(
            "prefix",
            "embedding",
            "infix",
            "infix-embedding",
            "layers",
            "fine-tune",
            "fine-tune-top",
            "adapter",
            "lora",
            "in-context");

    /** For a parameter, its gradient and the two moments of AdamW, in float32. */
    private static final int BYTES_TRAINED = 4 * Float.BYTES;

    @Option(
            names = OptionNames.METHOD,
            paramLabel = "METHOD",
            defaultValue = "prefix",
            description =
                    "prefix, embedding, infix, infix-embedding, layers, fine-tune, fine-tune-top, adapter, lora or"
                            + " in-context (docs/methods.md).")
    String method;

    @Option(names = OptionNames.PREFIX_LENGTH, paramLabel = "N", defaultValue = "10", description = "Virtual tokens.")
    int prefixLength;

    @Option(
            names = OptionNames.REPARAM,
            paramLabel = "R",
            defaultValue = "mlp",
            description = "mlp: a small network computes the virtual tokens; direct: they are trained themselves.")
    String reparam;

    @Option(names = OptionNames.HIDDEN, paramLabel = "N", defaultValue = "512", description = "Hidden size of the MLP.")
    int hidden;

    @Option(
            names = OptionNames.LAYERS,
            paramLabel = "A-B",
            description = "For method layers: the layers that attend to the prefix, counted from 0.")
    @Nullable
    String layers;

    @Option(
            names = OptionNames.TOP_BLOCKS,
            paramLabel = "N",
            defaultValue = "2",
            description = "For method fine-tune-top: number of trained blocks.")
    int topBlocks;

    @Option(
            names = OptionNames.ADAPTER_SHARE,
            paramLabel = "X",
            defaultValue = "0.03",
            description = "For method adapter: its parameters as a share of the model's.")
    double adapterShare;

    @Option(
            names = OptionNames.BOTTLENECK,
            paramLabel = "N",
            description = "For method adapter: its width, instead of --adapter-share.")
    @Nullable
    Integer bottleneck;

    @Option(
            names = OptionNames.RANK,
            paramLabel = "N",
            defaultValue = "8",
            description = "For method lora: rank of the update.")
    int rank;

    @Option(
            names = OptionNames.ALPHA,
            paramLabel = "X",
            defaultValue = "16",
            description = "For method lora: the update is scaled by X / rank.")
    double alpha;

    @Option(
            names = OptionNames.EXAMPLES,
            paramLabel = "N",
            defaultValue = "4",
            description = "For method in-context: examples before each source.")
    int examples;

    /** Options that only one method has. */
    private static final Map<String, String> OWNERS = Map.of(
            OptionNames.TOP_BLOCKS,
            "fine-tune-top",
            OptionNames.ADAPTER_SHARE,
            "adapter",
            OptionNames.BOTTLENECK,
            "adapter",
            OptionNames.RANK,
            "lora",
            OptionNames.ALPHA,
            "lora",
            OptionNames.EXAMPLES,
            "in-context");

    /** Checks what can be checked without a model. */
    void require(CommandSpec spec) {
        if (!NAMES.contains(method)) {
            throw new InputException(
                    "method: expected one of %s, found '%s'".formatted(String.join(", ", NAMES), method));
        }
        OWNERS.forEach((option, owner) -> {
            if (spec.commandLine().getParseResult().hasMatchedOption(option) && !owner.equals(method)) {
                throw new ParameterException(
                        spec.commandLine(),
                        "%s: expected --method %s with it, found %s".formatted(option, owner, method));
            }
        });
        vectors();
        if (method.equals("layers") == (layers == null)) {
            throw new InputException(
                    layers == null
                            ? "layers: expected --layers A-B, found none"
                            : "layers: expected --method layers with it, found " + method);
        }
        if (layers != null) {
            range();
        }
        if (examples < 1) {
            throw new InputException("examples must be at least 1, was " + examples);
        }
    }

    /** The size of method adapter; one given by its width counts as large. */
    double share() {
        return bottleneck == null ? adapterShare : 1;
    }

    boolean isInContext() {
        return method.equals("in-context");
    }

    private Vectors vectors() {
        return new Vectors(prefixLength, Reparametrization.parse(reparam), hidden);
    }

    private int[] range() {
        Matcher matcher = RANGE.matcher(layers);
        if (!matcher.matches()) {
            throw new InputException("layers: expected two numbers such as 0-3, found '" + layers + "'");
        }
        int first = Integer.parseInt(matcher.group(1));
        return new int[] {first, matcher.group(2) == null ? first : Integer.parseInt(matcher.group(2))};
    }

    /** Refuses sizes that cannot fit into memory, before anything is allocated. */
    void requireMemory(Method made, ModelConfig config) {
        String options = switch (method) {
            case "prefix", "embedding", "infix", "infix-embedding", "layers" ->
                reparam.equals("mlp")
                        ? "--prefix-length %,d, --hidden %,d".formatted(prefixLength, hidden)
                        : "--prefix-length %,d".formatted(prefixLength);
            case "adapter" ->
                bottleneck != null ? "--bottleneck %,d".formatted(bottleneck) : "--adapter-share " + adapterShare;
            case "lora" -> "--rank %,d".formatted(rank);
            default -> null; // the model decides
        };
        if (options != null) {
            MachineMemory.require(
                    (double) BYTES_TRAINED * made.trainedNumbers(config), options, "the parameters with AdamW's state");
        }
    }

    /** The method to train; not for in-context, which trains nothing. */
    Method method(ModelConfig config) {
        return switch (method) {
            case "prefix" -> new PrefixTuning(vectors());
            case "embedding" -> new EmbeddingTuning(vectors());
            case "infix" -> new InfixTuning(vectors());
            case "infix-embedding" -> new InfixEmbeddingTuning(vectors());
            case "layers" -> new LayerTuning(vectors(), range()[0], range()[1]);
            case "fine-tune" -> new FineTuning();
            case "fine-tune-top" -> new TopTuning(topBlocks);
            case "adapter" ->
                bottleneck != null ? new AdapterTuning(bottleneck) : AdapterTuning.ofShare(adapterShare, config);
            case "lora" -> new LoraTuning(rank, alpha);
            default -> throw new AssertionError(method);
        };
    }
}
