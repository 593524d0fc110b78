package dev.prefix4j.gpt2;

import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.prefix4j.AtomicFile;
import dev.prefix4j.InputException;
import dev.prefix4j.torch.SafetensorsSet;
import dev.prefix4j.torch.SafetensorsWriter;
import dev.prefix4j.torch.TensorScope;
import dev.prefix4j.torch.TorchRuntime;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.regex.Pattern;
import org.bytedeco.pytorch.Device;
import org.bytedeco.pytorch.DeviceOptional;
import org.bytedeco.pytorch.GeneratorOptional;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptions;
import org.bytedeco.pytorch.global.torch;

/**
 * A Hugging Face GPT-2 folder: {@code config.json} and {@code model.safetensors}, or its shards with
 * {@code model.safetensors.index.json}; and new models that are to become one. Tensor names may begin with {@code transformer.} or not.
 */
public final class Checkpoint {
    /** Constants that old checkpoints carry along: the causal mask and what it fills in. */
    private static final Pattern CONSTANT = Pattern.compile("h\\.\\d+\\.attn\\.(bias|masked_bias)");

    private static final String HEAD = "lm_head.weight";

    /** Of the first weights, {@code initializer_range}. */
    private static final double DEVIATION = 0.02;

    private Checkpoint() {}

    /**
     * Loads a model in float32. On the CPU float32 weights stay in the file: they are mapped into memory, shared with
     * every process that maps the same file. float16 and bfloat16 weights are converted.
     *
     * @return a module whose tensors belong to the open {@link TensorScope}, or to the caller
     * @throws InputException if a file is missing or malformed, or a tensor is missing, unexpected or of another shape
     */
    public static Gpt2 load(Path folder, Device device) {
        Gpt2Config config = Gpt2Config.read(folder);
        if (!Files.exists(folder.resolve("model.safetensors"))
                && !Files.exists(folder.resolve("model.safetensors.index.json"))
                && Files.exists(folder.resolve("pytorch_model.bin"))) {
            throw new InputException(folder + ": expected model.safetensors, found only pytorch_model.bin:"
                    + " save the model again with Transformers' save_pretrained");
        }
        try (SafetensorsSet file = SafetensorsSet.open(folder, "model")) {
            Map<String, String> stored = stored(folder, config, file);
            Gpt2 model = new Gpt2(
                    config, device, new Weights("", (name, shape) -> take(folder, file, stored, name, shape, device)));
            if (!stored.isEmpty()) {
                throw new InputException("%s: %s no GPT-2 of this configuration has: %s"
                        .formatted(
                                folder,
                                stored.size() == 1 ? "found a tensor that" : "found " + stored.size() + " tensors that",
                                some(List.copyOf(stored.values()))));
            }
            return model;
        }
    }

    /**
     * A new model with random weights that can be trained: GPT-2's initialization, normal with a deviation of 0.02, less
     * for what is added to the residual stream (Radford et al. 2019, section 2.3). {@link TorchRuntime#seed} decides
     * the numbers.
     *
     * @return a module whose tensors belong to the open {@link TensorScope}, or to the caller
     */
    public static Gpt2 initialize(Gpt2Config config, Device device) {
        double residual = DEVIATION / Math.sqrt(2.0 * config.layers());
        Gpt2 model = new Gpt2(config, device, new Weights("", (name, shape) -> {
            TensorOptions options = new TensorOptions(torch.ScalarType.Float).device(new DeviceOptional(device));
            if (name.endsWith("bias")) {
                return torch.zeros(shape, options);
            }
            if (name.matches("(.*\\.)?ln_\\w\\.weight")) {
                return torch.ones(shape, options);
            }
            double deviation = name.endsWith("c_proj.weight") ? residual : DEVIATION;
            return torch.empty(shape, options, null).normal_(0, deviation, new GeneratorOptional());
        }));
        model.weights().values().forEach(weight -> weight.requires_grad_(true));
        return model;
    }

    /**
     * Loads a model to go on training all of it: as {@link #load}, with float32 weights of its own that require
     * gradients.
     *
     * @return a module whose tensors belong to the open {@link TensorScope}, or to the caller
     * @throws InputException as {@link #load}
     */
    public static Gpt2 loadTrainable(Path folder, Device device) {
        Gpt2 model = initialize(Gpt2Config.read(folder), device);
        try (TensorScope _ = new TensorScope()) {
            Map<String, Tensor> stored = load(folder, device).weights();
            model.weights().forEach((name, weight) -> weight.detach().copy_(stored.get(name)));
        }
        return model;
    }

    /**
     * Writes {@code config.json}, {@code generation_config.json} and {@code model.safetensors}, as Transformers does;
     * the tokenizer's file is the caller's.
     *
     * @param folder is made where it is not there
     * @param type of the stored weights: Float, Half or BFloat16
     * @throws InputException if the files cannot be written
     */
    public static void save(Gpt2 model, Path folder, torch.ScalarType type) {
        AtomicFile.createFolder(folder);
        try (TensorScope _ = new TensorScope()) {
            Map<String, Tensor> tensors = new TreeMap<>();
            model.weights().forEach((name, weight) -> tensors.put(
                    name.equals(HEAD) ? name : "transformer." + name, weight.detach().to(type)));
            SafetensorsWriter.write(folder.resolve("model.safetensors"), tensors, Map.of("format", "pt"));
        }
        AtomicFile.write(
                folder.resolve("config.json"), model.config().json(type).toPrettyString() + "\n");
        ObjectNode generation = JsonNodeFactory.instance.objectNode();
        generation.put("bos_token_id", model.config().bos()).put("eos_token_id", model.config().eos());
        AtomicFile.write(folder.resolve("generation_config.json"), generation.toPrettyString() + "\n");
    }

    /** Names in the files by the names that the modules use, in order. */
    private static Map<String, String> stored(Path folder, Gpt2Config config, SafetensorsSet file) {
        Map<String, String> stored = new TreeMap<>();
        for (String name : file.names()) {
            String key = name.startsWith("transformer.") ? name.substring("transformer.".length()) : name;
            if (CONSTANT.matcher(key).matches() || config.tiedHead() && key.equals(HEAD)) {
                continue;
            }
            String other = stored.put(key, name);
            if (other != null) {
                throw new InputException(folder + ": expected one tensor '" + key + "', found '" + other + "' and '"
                        + name + "'");
            }
        }
        return stored;
    }

    private static Tensor take(
            Path folder, SafetensorsSet file, Map<String, String> stored, String name, long[] shape, Device device) {
        String found = stored.remove(name);
        if (found == null) {
            throw new InputException("%s: expected a tensor '%s' of shape %s, found none"
                    .formatted(folder, name, Arrays.toString(shape)));
        }
        List<Long> foundShape = file.info(found).shape();
        if (!foundShape.equals(Arrays.stream(shape).boxed().toList())) {
            throw new InputException("%s: tensor '%s': expected shape %s, found %s"
                    .formatted(folder, found, Arrays.toString(shape), foundShape));
        }
        try (TensorScope scope = new TensorScope()) {
            Tensor tensor = file.tensor(found);
            if (!torch.isFloatingType(tensor.scalar_type())) {
                throw new InputException("%s: tensor '%s': expected floating-point numbers, found %s"
                        .formatted(folder, found, file.info(found).dtype()));
            }
            return scope.keep(tensor.to(device, torch.ScalarType.Float));
        }
    }

    private static String some(List<String> names) {
        return names.size() <= 3
                ? String.join(", ", names)
                : String.join(", ", names.subList(0, 3)) + " and " + (names.size() - 3) + " more";
    }
}
