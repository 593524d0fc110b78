package dev.prefix4j.method;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.prefix4j.AtomicFile;
import dev.prefix4j.Excerpt;
import dev.prefix4j.InputException;
import dev.prefix4j.frozen.Conditioned;
import dev.prefix4j.frozen.FrozenModel;
import dev.prefix4j.frozen.Precision;
import dev.prefix4j.model.BaseModel;
import dev.prefix4j.model.ConfigFile;
import dev.prefix4j.model.ModelConfig;
import dev.prefix4j.prefix.PrefixEncoder.Reparametrization;
import dev.prefix4j.torch.Safetensors;
import dev.prefix4j.torch.SafetensorsWriter;
import dev.prefix4j.torch.TensorScope;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.bytedeco.pytorch.Device;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;

/**
 * What a method stores: a folder with {@code adapter_config.json} and {@code adapter_model.safetensors}. For methods that Hugging Face PEFT
 * has (PREFIX_TUNING, PROMPT_TUNING, LORA), the files are PEFT's, for reading and writing; for the others, the configuration has a key
 * {@code prefix4j_method}. A card, {@code README.md}, names the base model.
 */
public final class AdapterFolder {
    private static final String WEIGHTS = "adapter_model.safetensors";
    private static final ObjectMapper JSON = new ObjectMapper();

    private AdapterFolder() {}

    /**
     * What a folder holds.
     *
     * @param tensors by name; they belong to the scope that was open when they were read
     */
    public record Contents(Method method, Map<String, Tensor> tensors) {}

    /**
     * Writes what a method stores. Each file is complete or absent; existing files are replaced.
     *
     * @param model geometry of the model that it belongs to
     * @param baseModel name or path of that model
     * @param revision its revision on the hub; empty: the hub's default
     * @throws InputException if the folder cannot be written
     */
    public static void save(
            Method method,
            Map<String, Tensor> tensors,
            ModelConfig model,
            Path folder,
            String baseModel,
            Optional<String> revision) {
        ObjectNode config = JSON.createObjectNode();
        config.putNull("auto_mapping");
        config.put("base_model_name_or_path", baseModel);
        config.put("inference_mode", true);
        config.put("revision", revision.orElse(null));
        config.put("task_type", "CAUSAL_LM");
        describe(method, model, config);
        AtomicFile.createFolder(folder);
        SafetensorsWriter.write(folder.resolve(WEIGHTS), new TreeMap<>(tensors), Map.of("format", "pt"));
        AtomicFile.write(folder.resolve(AdapterConfig.FILE), config.toPrettyString() + "\n");
        AdapterCard.write(method, model, folder, baseModel);
    }

    private static void describe(Method method, ModelConfig model, ObjectNode config) {
        switch (method) {
            case PrefixTuning(Vectors vectors) -> {
                boolean mlp = vectors.reparametrization() == Reparametrization.MLP;
                virtualTokens(config, "PREFIX_TUNING", vectors, method, model);
                config.put("prefix_projection", mlp)
                        .put("encoder_hidden_size", mlp ? vectors.hidden() : model.keyColumns());
            }
            case EmbeddingTuning(Vectors vectors) -> {
                virtualTokens(config, "PROMPT_TUNING", vectors, method, model);
                config.put("prompt_tuning_init", "RANDOM");
            }
            case LoraTuning(int rank, double alpha) -> {
                config.put("peft_type", "LORA")
                        .put("r", rank)
                        .put("lora_alpha", alpha)
                        .put("lora_dropout", 0.0);
                config.put("fan_in_fan_out", model.family().names().inputsFirst())
                        .put("bias", "none");
                model.family().loraTargets().forEach(config.putArray("target_modules")::add);
            }
            case InfixTuning(Vectors vectors) ->
                virtualTokens(ours(config, method, model), AdapterConfig.OURS, vectors, method, model);
            case InfixEmbeddingTuning(Vectors vectors) ->
                virtualTokens(ours(config, method, model), AdapterConfig.OURS, vectors, method, model);
            case LayerTuning(Vectors vectors, int first, int last) ->
                virtualTokens(ours(config, method, model), AdapterConfig.OURS, vectors, method, model)
                        .put("first_layer", first)
                        .put("last_layer", last);
            case FineTuning() -> ours(config, method, model);
            case TopTuning(int blocks) -> ours(config, method, model).put("blocks", blocks);
            case AdapterTuning(int bottleneck) -> ours(config, method, model).put("bottleneck", bottleneck);
            case StoredLora _ -> throw new IllegalArgumentException("a stored adapter is not written again");
            case InContext(int tokens) -> ours(config, method, model).put("tokens", tokens);
        }
    }

    private static ObjectNode ours(ObjectNode config, Method method, ModelConfig model) {
        geometry(config, method, model);
        return config.put("peft_type", AdapterConfig.OURS).put(AdapterConfig.METHOD, method.name());
    }

    /** As PEFT counts: for learned keys and values, the heads are those of keys. */
    private static void geometry(ObjectNode config, Method method, ModelConfig model) {
        boolean keys = method instanceof ActivationMethod;
        config.put("num_attention_heads", keys ? model.keyHeads() : model.heads())
                .put("num_layers", model.layers())
                .put("token_dim", keys ? model.keyColumns() : model.width());
    }

    private static ObjectNode virtualTokens(
            ObjectNode config, String type, Vectors vectors, Method method, ModelConfig model) {
        config.put("peft_type", type);
        config.put("num_virtual_tokens", vectors.length());
        geometry(config, method, model);
        return config.put("num_transformer_submodules", 1);
    }

    /**
     * Checks only a configuration, before the weights are downloaded.
     *
     * @throws InputException if it is malformed, or the kind of adapter is not supported
     */
    public static void requireKnown(Path folder) {
        AdapterConfig.type(AdapterConfig.read(folder));
    }

    /**
     * Reads what a method stores.
     *
     * @param model geometry of the model to use it with
     * @return with tensors that belong to the open scope
     * @throws InputException if a file is missing or malformed, or belongs to a model of another geometry
     */
    public static Contents load(Path folder, ModelConfig model, Device device) {
        requireAdapter(folder);
        ConfigFile config = AdapterConfig.read(folder);
        AdapterConfig.type(config); // another library's adapter has other files
        Path file = folder.resolve(WEIGHTS);
        Map<String, Tensor> found = new LinkedHashMap<>();
        Method method;
        try (TensorScope scope = new TensorScope();
                Safetensors tensors = Safetensors.open(file)) {
            method = AdapterConfig.method(config, model, tensors.names());
            Map<String, List<Long>> expected = method.stored(model);
            if (!tensors.names().equals(expected.keySet())) {
                throw new InputException("%s: damaged, or of another model or configuration: %s"
                        .formatted(file, difference(expected.keySet(), tensors.names())));
            }
            expected.forEach((name, shape) -> {
                if (!tensors.info(name).shape().equals(shape)) {
                    throw new InputException("%s: tensor '%s': expected shape %s by %s and the model, found %s"
                            .formatted(
                                    file,
                                    Excerpt.of(name),
                                    shape,
                                    AdapterConfig.FILE,
                                    Excerpt.of(tensors.info(name).shape().toString())));
                }
                Tensor tensor = tensors.tensor(name);
                if (!torch.isFloatingType(tensor.scalar_type())) {
                    throw new InputException("%s: tensor '%s': expected floating-point numbers, found %s"
                            .formatted(
                                    file, Excerpt.of(name), tensors.info(name).dtype()));
                }
                Tensor values = tensor.to(device, torch.ScalarType.Float, false, true, null);
                if (!torch.isfinite(values).all().item_bool()) {
                    throw new InputException("%s: tensor '%s': expected finite numbers, found NaN or infinity"
                            .formatted(file, Excerpt.of(name)));
                }
                found.put(name, scope.keep(values));
            });
        }
        return new Contents(method, found);
    }

    /**
     * A model with what a folder holds, in float32, for decoding.
     *
     * @return with tensors that belong to the open scope
     * @throws InputException as {@link #load}
     */
    public static Conditioned apply(Path folder, BaseModel model) {
        Contents contents = load(folder, model.config(), model.device());
        return contents.method()
                .apply(
                        model,
                        (base, changes) -> new FrozenModel(
                                base,
                                changes,
                                FrozenModel.Options.of(base, Precision.FP32).forDecoding()),
                        contents.tensors());
    }

    /**
     * The weights of a model with what a folder holds merged into them, in float32: LoRA, fine-tuning of all or of the top blocks.
     *
     * @return with tensors that belong to the open scope
     * @throws InputException as {@link #load}, or if the method stores anything but weights of the model
     */
    public static BaseModel merge(Path folder, BaseModel model) {
        Contents contents = load(folder, model.config(), model.device());
        FrozenModel.Changes changes = contents.method() instanceof WeightMethod method
                ? method.changes(model, contents.tensors())
                : FrozenModel.Changes.NONE;
        if (changes.weights().isEmpty() || !changes.extension().isEmpty()) {
            throw new InputException(
                    "%s: expected changed weights (lora, fine-tune, fine-tune-top), found an adapter of method %s,"
                                    .formatted(folder, contents.method().name())
                            + " which cannot be merged");
        }
        return model.with(changes.weights());
    }

    /** Refuses a folder without an adapter; the message says what it is, and where an adapter may be. */
    private static void requireAdapter(Path folder) {
        if (!Files.isDirectory(folder)) {
            throw new InputException(
                    folder + ": expected an adapter folder, found " + (Files.exists(folder) ? "a file" : "nothing"));
        }
        if (!Files.exists(folder.resolve(AdapterConfig.FILE))) {
            if (Files.exists(folder.resolve("adapter").resolve(AdapterConfig.FILE))) {
                throw new InputException("%s: expected an adapter folder, found that of a run: its adapter is %s"
                        .formatted(folder, folder.resolve("adapter")));
            }
            if (Files.exists(folder.resolveSibling("adapter").resolve(AdapterConfig.FILE))) {
                throw new InputException(
                        "%s: expected an adapter folder, found another folder of a run: its adapter is %s"
                                .formatted(folder, folder.resolveSibling("adapter")));
            }
            List<Path> inside = adaptersInside(folder);
            if (!inside.isEmpty()) {
                throw new InputException("%s: expected an adapter folder, found one with adapters in it: name %s"
                        .formatted(
                                folder,
                                inside.stream().limit(3).map(Path::toString).collect(Collectors.joining(" or "))));
            }
            if (Files.exists(folder.resolve("config.json"))) {
                throw new InputException("%s: expected an adapter folder with %s, found a model's: name it with --model"
                        .formatted(folder, AdapterConfig.FILE));
            }
        } else if (!Files.exists(folder.resolve(WEIGHTS)) && Files.exists(folder.resolve("adapter_model.bin"))) {
            throw new InputException(folder + ": expected " + WEIGHTS + ", found only adapter_model.bin, a pickle:"
                    + " save the adapter again with PEFT's save_pretrained(folder, safe_serialization=True)");
        }
    }

    private static List<Path> adaptersInside(Path folder) {
        try (Stream<Path> files = Files.list(folder)) {
            return files.filter(path -> Files.exists(path.resolve(AdapterConfig.FILE)))
                    .sorted()
                    .toList();
        } catch (IOException e) {
            return List.of();
        }
    }

    /** What is missing, and what is not expected. */
    private static String difference(Set<String> expected, Set<String> found) {
        List<String> missing =
                expected.stream().filter(name -> !found.contains(name)).sorted().toList();
        List<String> more =
                found.stream().filter(name -> !expected.contains(name)).sorted().toList();
        return "expected %d tensors, found %d%s%s"
                .formatted(expected.size(), found.size(), some("; missing", missing), some("; not expected", more));
    }

    private static String some(String what, List<String> names) {
        if (names.isEmpty()) {
            return "";
        }
        String first = names.stream()
                .limit(2)
                .map(name -> "'" + Excerpt.of(name) + "'")
                .collect(Collectors.joining(", "));
        return what + " " + first + (names.size() > 2 ? " and %d more".formatted(names.size() - 2) : "");
    }
}
