package dev.prefix4j.method;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.prefix4j.AtomicFile;
import dev.prefix4j.InputException;
import dev.prefix4j.frozen.Conditioned;
import dev.prefix4j.frozen.FrozenGpt2;
import dev.prefix4j.frozen.Precision;
import dev.prefix4j.gpt2.ConfigFile;
import dev.prefix4j.gpt2.Gpt2;
import dev.prefix4j.gpt2.Gpt2Config;
import dev.prefix4j.prefix.PrefixEncoder.Reparametrization;
import dev.prefix4j.torch.Safetensors;
import dev.prefix4j.torch.SafetensorsWriter;
import dev.prefix4j.torch.TensorScope;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.TreeSet;
import org.bytedeco.pytorch.Device;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;

/**
 * What a method keeps: a folder with {@code adapter_config.json} and {@code adapter_model.safetensors}. Where Hugging Face PEFT has the
 * method (PREFIX_TUNING, PROMPT_TUNING, LORA), the files are PEFT's, both ways; for the others the configuration has a key
 * {@code prefix4j_method}.
 */
public final class AdapterFolder {
    private static final String CONFIG = "adapter_config.json";
    private static final String WEIGHTS = "adapter_model.safetensors";
    private static final String METHOD = "prefix4j_method";
    private static final int MAX_SIZE = 1 << 20;
    private static final ObjectMapper JSON = new ObjectMapper();

    private AdapterFolder() {}

    /**
     * What a folder holds.
     *
     * @param tensors by name; they belong to the scope that was open when they were read
     */
    public record Contents(Method method, Map<String, Tensor> tensors) {}

    /**
     * Writes what a method keeps. Each file is complete or not there; existing ones are replaced.
     *
     * @param model geometry of the model that it belongs to
     * @param baseModel name or path of that model
     * @param revision of it on the hub; none: whatever the hub gives by default
     * @throws InputException if the folder cannot be written
     */
    public static void save(
            Method method, Map<String, Tensor> tensors, Gpt2Config model, Path folder, String baseModel, Optional<String> revision) {
        ObjectNode config = JSON.createObjectNode();
        config.putNull("auto_mapping");
        config.put("base_model_name_or_path", baseModel);
        config.put("inference_mode", true);
        config.put("revision", revision.orElse(null));
        config.put("task_type", "CAUSAL_LM");
        describe(method, model, config);
        AtomicFile.createFolder(folder);
        SafetensorsWriter.write(folder.resolve(WEIGHTS), new TreeMap<>(tensors), Map.of("format", "pt"));
        AtomicFile.write(folder.resolve(CONFIG), config.toPrettyString() + "\n");
    }

    private static void describe(Method method, Gpt2Config model, ObjectNode config) {
        switch (method) {
            case PrefixTuning(Vectors vectors) -> {
                boolean mlp = vectors.reparametrization() == Reparametrization.MLP;
                virtualTokens(config, "PREFIX_TUNING", vectors, model);
                config.put("prefix_projection", mlp).put("encoder_hidden_size", mlp ? vectors.hidden() : model.width());
            }
            case EmbeddingTuning(Vectors vectors) -> {
                virtualTokens(config, "PROMPT_TUNING", vectors, model);
                config.put("prompt_tuning_init", "RANDOM");
            }
            case LoraTuning(int rank, double alpha) -> {
                config.put("peft_type", "LORA").put("r", rank).put("lora_alpha", alpha).put("lora_dropout", 0.0);
                config.put("fan_in_fan_out", true).put("bias", "none").putArray("target_modules").add("c_attn");
            }
            case InfixTuning(Vectors vectors) -> virtualTokens(ours(config, method, model), "PREFIX4J", vectors, model);
            case InfixEmbeddingTuning(Vectors vectors) -> virtualTokens(ours(config, method, model), "PREFIX4J", vectors, model);
            case LayerTuning(Vectors vectors, int first, int last) -> virtualTokens(ours(config, method, model), "PREFIX4J", vectors, model)
                    .put("first_layer", first)
                    .put("last_layer", last);
            case FineTuning() -> ours(config, method, model);
            case TopTuning(int blocks) -> ours(config, method, model).put("blocks", blocks);
            case AdapterTuning(int bottleneck) -> ours(config, method, model).put("bottleneck", bottleneck);
            case InContext(int tokens) -> ours(config, method, model).put("tokens", tokens);
        }
    }

    private static ObjectNode ours(ObjectNode config, Method method, Gpt2Config model) {
        geometry(config, model);
        return config.put("peft_type", "PREFIX4J").put(METHOD, method.name());
    }

    private static void geometry(ObjectNode config, Gpt2Config model) {
        config.put("num_attention_heads", model.heads()).put("num_layers", model.layers()).put("token_dim", model.width());
    }

    private static ObjectNode virtualTokens(ObjectNode config, String type, Vectors vectors, Gpt2Config model) {
        config.put("peft_type", type);
        config.put("num_virtual_tokens", vectors.length());
        geometry(config, model);
        return config.put("num_transformer_submodules", 1);
    }

    /**
     * Reads what a method keeps.
     *
     * @param model geometry of the model that it is to be used with
     * @return with tensors that belong to the open scope
     * @throws InputException if a file is missing or malformed, or belongs to a model of another geometry
     */
    public static Contents load(Path folder, Gpt2Config model, Device device) {
        if (!Files.isDirectory(folder)) {
            throw new InputException(folder + ": expected an adapter folder, found "
                    + (Files.exists(folder) ? "a file" : "nothing"));
        }
        if (!Files.exists(folder.resolve(CONFIG)) && Files.exists(folder.resolve("adapter").resolve(CONFIG))) {
            throw new InputException("%s: expected an adapter folder, found that of a run: its adapter is %s"
                    .formatted(folder, folder.resolve("adapter")));
        }
        Method method = method(folder, model);
        Path file = folder.resolve(WEIGHTS);
        Map<String, List<Long>> expected = method.stored(model);
        Map<String, Tensor> found = new LinkedHashMap<>();
        try (TensorScope scope = new TensorScope();
                Safetensors tensors = Safetensors.open(file)) {
            if (!tensors.names().equals(expected.keySet())) {
                throw new InputException("%s: damaged, or of another model: expected %s, found %s"
                        .formatted(file, some(expected.keySet()), some(tensors.names())));
            }
            expected.forEach((name, shape) -> {
                if (!tensors.info(name).shape().equals(shape)) {
                    throw new InputException("%s: tensor '%s': expected shape %s by %s and the model, found %s"
                            .formatted(file, name, shape, CONFIG, tensors.info(name).shape()));
                }
                Tensor tensor = tensors.tensor(name);
                if (!torch.isFloatingType(tensor.scalar_type())) {
                    throw new InputException("%s: tensor '%s': expected floating-point numbers, found %s"
                            .formatted(file, name, tensors.info(name).dtype()));
                }
                found.put(name, scope.keep(tensor.to(device, torch.ScalarType.Float, false, true, null)));
            });
        }
        return new Contents(method, found);
    }

    /**
     * A model with what a folder keeps, in float32, for decoding.
     *
     * @return with tensors that belong to the open scope
     * @throws InputException as {@link #load}
     */
    public static Conditioned apply(Path folder, Gpt2 model) {
        Contents contents = load(folder, model.config(), model.device());
        return contents.method()
                .apply(
                        model,
                        (base, changes) -> new FrozenGpt2(
                                base, changes, FrozenGpt2.Options.of(base, Precision.FP32).forDecoding()),
                        contents.tensors());
    }

    /** Names for a message. */
    private static String some(java.util.Set<String> names) {
        List<String> sorted = List.copyOf(new TreeSet<>(names));
        return sorted.size() <= 3
                ? "the tensors " + sorted
                : "%d tensors, the first of them %s".formatted(sorted.size(), sorted.subList(0, 2));
    }

    private static Method method(Path folder, Gpt2Config model) {
        ConfigFile file = ConfigFile.read(folder.resolve(CONFIG), "an adapter configuration");
        String task = file.text("task_type", "CAUSAL_LM");
        if (!task.equals("CAUSAL_LM")) {
            throw file.wrong("task_type", "CAUSAL_LM", task);
        }
        String type = file.text("peft_type", "nothing").toUpperCase(Locale.ROOT);
        return switch (type) {
            case "PREFIX_TUNING" -> new PrefixTuning(vectors(file, folder, model));
            case "PROMPT_TUNING" -> new EmbeddingTuning(vectors(file, folder, model));
            case "LORA" -> lora(file);
            case "PREFIX4J" -> ours(file, folder, model);
            default -> throw file.wrong("peft_type", "PREFIX_TUNING, PROMPT_TUNING, LORA or PREFIX4J", type);
        };
    }

    private static Method ours(ConfigFile file, Path folder, Gpt2Config model) {
        String name = file.text(METHOD, "nothing");
        requireGeometry(file, folder, model);
        return switch (name) {
            case "infix" -> new InfixTuning(vectors(file, folder, model));
            case "infix-embedding" -> new InfixEmbeddingTuning(vectors(file, folder, model));
            case "layers" -> {
                int first = size(file, "first_layer", 0, model.layers() - 1);
                yield new LayerTuning(vectors(file, folder, model), first, size(file, "last_layer", first, model.layers() - 1));
            }
            case "fine-tune" -> new FineTuning();
            case "fine-tune-top" -> new TopTuning(size(file, "blocks", 1, model.layers()));
            case "adapter" -> new AdapterTuning(size(file, "bottleneck", 1, MAX_SIZE));
            case "in-context" -> new InContext(size(file, "tokens", 1, MAX_SIZE));
            default -> throw file.wrong(METHOD, "the name of a method", name);
        };
    }

    /** How the vectors were trained does not matter any more. */
    private static Vectors vectors(ConfigFile file, Path folder, Gpt2Config model) {
        requireGeometry(file, folder, model);
        return new Vectors(size(file, "num_virtual_tokens", 1, MAX_SIZE), Reparametrization.DIRECT, 0);
    }

    private static void requireGeometry(ConfigFile file, Path folder, Gpt2Config model) {
        int layers = size(file, "num_layers", 1, MAX_SIZE);
        int heads = size(file, "num_attention_heads", 1, MAX_SIZE);
        int width = size(file, "token_dim", 1, MAX_SIZE);
        if (width % heads != 0) {
            throw file.wrong("token_dim", "a multiple of num_attention_heads " + heads, width);
        }
        if (layers != model.layers() || heads != model.heads() || width != model.width()) {
            throw new InputException(("%s: an adapter of another model: expected %d layers, %d heads and width %d,"
                            + " found %d layers, %d heads and width %d")
                    .formatted(folder, model.layers(), model.heads(), model.width(), layers, heads, width));
        }
    }

    private static Method lora(ConfigFile file) {
        if (!file.json().path("target_modules").toString().equals("[\"c_attn\"]")) {
            throw file.wrong("target_modules", "[\"c_attn\"]", file.json().get("target_modules"));
        }
        if (!file.text("bias", "none").equals("none")) {
            throw file.wrong("bias", "none", file.json().get("bias"));
        }
        for (String key : List.of("use_rslora", "use_dora")) {
            if (file.flag(key, false)) {
                throw file.wrong(key, "false", true);
            }
        }
        double alpha = file.number("lora_alpha", 8);
        if (!(alpha > 0 && alpha <= 1e6)) {
            throw file.wrong("lora_alpha", "a number above 0", alpha);
        }
        return new LoraTuning(size(file, "r", 1, MAX_SIZE), alpha);
    }

    private static int size(ConfigFile file, String key, int least, int most) {
        int value = file.integer(key);
        if (value < least || value > most) {
            throw file.wrong(key, "an integer from %d to %d".formatted(least, most), value);
        }
        return value;
    }
}
