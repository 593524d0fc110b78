package dev.prefix4j.method;

import dev.prefix4j.Excerpt;
import dev.prefix4j.InputException;
import dev.prefix4j.model.ConfigFile;
import dev.prefix4j.model.ModelConfig;
import dev.prefix4j.prefix.PrefixEncoder.Reparametrization;
import java.nio.file.Path;
import java.util.Locale;
import java.util.Set;
import java.util.TreeSet;

/** Reads {@code adapter_config.json}: PEFT's, and ours for methods that PEFT does not have. */
final class AdapterConfig {
    static final String FILE = "adapter_config.json";

    /** The {@code peft_type} of methods that PEFT does not have. */
    static final String OURS = "PREFIX4J";

    static final String METHOD = "prefix4j_method";

    /** Largest number of virtual tokens, rank or number of layers. */
    static final int MAX_SIZE = 1 << 20;

    private AdapterConfig() {}

    static ConfigFile read(Path folder) {
        return ConfigFile.read(folder.resolve(FILE), "an adapter configuration");
    }

    /**
     * The method that a configuration describes.
     *
     * @param model to use it with
     * @param tensors names in the weights file
     * @throws InputException naming the key that is wrong or not supported
     */
    static Method method(ConfigFile file, ModelConfig model, Set<String> tensors) {
        String task = file.text("task_type", "CAUSAL_LM");
        if (!task.equals("CAUSAL_LM")) {
            throw file.wrong("task_type", "CAUSAL_LM", Excerpt.of(task));
        }
        String type = type(file);
        PeftKeys.check(file, type);
        return switch (type) {
            case "PREFIX_TUNING", "CARTRIDGE" ->
                new PrefixTuning(keys(file, model)); // a cartridge is laid out as a prefix
            case "PROMPT_TUNING", "P_TUNING" ->
                new EmbeddingTuning(vectors(file, model)); // files hold the encoder's output
            case "LORA" -> LoraConfig.read(file, model, tensors);
            default -> ours(file, model);
        };
    }

    /**
     * The type of an adapter; needs only its configuration.
     *
     * @throws InputException if it belongs to another library, or is not supported
     */
    static String type(ConfigFile file) {
        if (!file.has("peft_type") && file.json().path("config").isObject()) {
            throw new InputException(
                    file.file() + ": expected an adapter of PEFT or prefix4j, found one of the library adapters"
                            + " (AdapterHub), whose format is not supported: train it with PEFT or prefix4j");
        }
        String type = file.text("peft_type", "nothing").toUpperCase(Locale.ROOT);
        if (!PeftKeys.types().contains(type)) {
            throw file.wrong("peft_type", String.join(", ", new TreeSet<>(PeftKeys.types())), Excerpt.of(type));
        }
        return type;
    }

    private static Method ours(ConfigFile file, ModelConfig model) {
        String name = file.text(METHOD, "nothing");
        return switch (name) {
            case "infix" -> new InfixTuning(keys(file, model));
            case "infix-embedding" -> new InfixEmbeddingTuning(vectors(file, model));
            case "layers" -> {
                int first = size(file, "first_layer", 0, model.layers() - 1);
                yield new LayerTuning(keys(file, model), first, size(file, "last_layer", first, model.layers() - 1));
            }
            case "fine-tune" -> new FineTuning();
            case "fine-tune-top" -> new TopTuning(size(file, "blocks", 1, model.layers()));
            case "adapter" -> new AdapterTuning(size(file, "bottleneck", 1, MAX_SIZE));
            case "in-context" -> new InContext(size(file, "tokens", 1, MAX_SIZE));
            default -> throw file.wrong(METHOD, "the name of a method", Excerpt.of(name));
        };
    }

    /** Vectors of keys and values. */
    private static Vectors keys(ConfigFile file, ModelConfig model) {
        requireGeometry(file, model.layers(), model.keyHeads(), model.keyColumns());
        return length(file);
    }

    /** Vectors of embeddings. */
    private static Vectors vectors(ConfigFile file, ModelConfig model) {
        requireGeometry(file, model.layers(), model.heads(), model.width());
        return length(file);
    }

    /** How the vectors were trained no longer matters. */
    private static Vectors length(ConfigFile file) {
        return new Vectors(size(file, "num_virtual_tokens", 1, MAX_SIZE), Reparametrization.DIRECT, 0);
    }

    private static void requireGeometry(ConfigFile file, int ofModel, int headsOfModel, int widthOfModel) {
        int layers = size(file, "num_layers", 1, MAX_SIZE);
        int heads = size(file, "num_attention_heads", 1, MAX_SIZE);
        int width = size(file, "token_dim", 1, MAX_SIZE);
        if (width % heads != 0) {
            throw file.wrong("token_dim", "a multiple of num_attention_heads " + heads, width);
        }
        if (layers != ofModel || heads != headsOfModel || width != widthOfModel) {
            throw new InputException(("%s: an adapter of another model: expected %d layers, %d heads and width %d,"
                            + " found %d layers, %d heads and width %d")
                    .formatted(file.file().getParent(), ofModel, headsOfModel, widthOfModel, layers, heads, width));
        }
    }

    static int size(ConfigFile file, String key, int least, int most) {
        int value = file.integer(key);
        if (value < least || value > most) {
            throw file.wrong(key, "an integer from %d to %d".formatted(least, most), value);
        }
        return value;
    }
}
