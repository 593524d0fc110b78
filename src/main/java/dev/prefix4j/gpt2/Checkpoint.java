package dev.prefix4j.gpt2;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.prefix4j.AtomicFile;
import dev.prefix4j.InputException;
import dev.prefix4j.InputFile;
import dev.prefix4j.torch.SafetensorsSet;
import dev.prefix4j.torch.SafetensorsWriter;
import dev.prefix4j.torch.TensorScope;
import dev.prefix4j.torch.TorchRuntime;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
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
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A Hugging Face GPT-2 folder: {@code config.json} and {@code model.safetensors}, or its shards with
 * {@code model.safetensors.index.json}; and new models that are to become one. Tensor names may begin with {@code transformer.} or not.
 */
public final class Checkpoint {
    /** Constants that old checkpoints carry along: the causal mask and what it fills in. */
    private static final Pattern CONSTANT = Pattern.compile("h\\.\\d+\\.attn\\.(bias|masked_bias)");

    /** Of TRL's {@code AutoModelForCausalLMWithValueHead}: it reads the hidden states and gives no words. */
    private static final Pattern VALUE_HEAD = Pattern.compile("v_head\\.(summary\\.)?(weight|bias)");

    private static final String HEAD = "lm_head.weight";
    private static final String EMBEDDING = "wte.weight";
    private static final long COMPARED = 1 << 22;
    private static final int MAX_CONFIG_BYTES = 4 << 20;
    private static final Logger LOG = LoggerFactory.getLogger(Checkpoint.class);

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
            Map<String, String> stored = stored(file);
            Gpt2 model = new Gpt2(
                    settleHead(config, file, stored),
                    device,
                    new Weights("", (name, shape) -> take(file, stored, name, shape, device)));
            if (!stored.isEmpty()) {
                throw new InputException("%s: %s no GPT-2 of this configuration has: %s"
                        .formatted(
                                file.path(stored.values().iterator().next()),
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
        Gpt2Config config;
        try (TensorScope _ = new TensorScope()) {
            config = load(folder, device).config(); // a stored head decides about it too
        }
        Gpt2 model = initialize(config, device);
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
     * @throws InputException if a number is not finite in the type, or the files cannot be written
     */
    public static void save(Gpt2 model, Path folder, torch.ScalarType type) {
        AtomicFile.createFolder(folder);
        write(model.weights(), folder, type);
        AtomicFile.write(
                folder.resolve("config.json"), model.config().json(type).toPrettyString() + "\n");
        AtomicFile.write(
                folder.resolve("generation_config.json"),
                model.config().generationJson().toPrettyString() + "\n");
    }

    /**
     * Writes a changed model as {@link #save}, with all else that its folder says: {@code generation_config.json}, and the keys of
     * {@code config.json} that do not follow from the weights. A head of its own unties the model.
     *
     * @param base folder of the model
     * @param weights all of them, by the names that the modules use
     * @param folder is made where it is not there
     * @throws InputException if a number is not finite in the type, or the files cannot be written
     */
    public static void export(Path base, Map<String, Tensor> weights, Path folder, torch.ScalarType type) {
        ObjectNode config = ConfigFile.read(base.resolve("config.json"), "a Hugging Face model configuration")
                .json()
                .deepCopy();
        config.putArray("architectures").add("GPT2LMHeadModel");
        config.put("tie_word_embeddings", !weights.containsKey(HEAD));
        config.remove("torch_dtype");
        config.put("dtype", Gpt2Config.dtype(type));
        AtomicFile.createFolder(folder);
        Path generation = base.resolve("generation_config.json");
        if (Files.exists(generation)) {
            AtomicFile.write(
                    folder.resolve("generation_config.json"),
                    InputFile.readString(generation, "a generation configuration", MAX_CONFIG_BYTES));
        }
        write(weights, folder, type);
        AtomicFile.write(folder.resolve("config.json"), config.toPrettyString() + "\n");
    }

    private static void write(Map<String, Tensor> weights, Path folder, torch.ScalarType type) {
        try (TensorScope _ = new TensorScope()) {
            Map<String, Tensor> tensors = new TreeMap<>();
            weights.forEach((name, weight) -> {
                Tensor stored = weight.detach().to(type);
                if (!torch.isfinite(stored).all().item_bool()) {
                    throw new InputException("tensor '%s': expected finite numbers, found NaN or infinity in %s"
                            .formatted(name, Gpt2Config.dtype(type)));
                }
                tensors.put(name.equals(HEAD) ? name : "transformer." + name, stored);
            });
            SafetensorsWriter.write(folder.resolve("model.safetensors"), tensors, Map.of("format", "pt"));
        }
    }

    /** Names in the files by the names that the modules use, in order. */
    private static Map<String, String> stored(SafetensorsSet file) {
        Map<String, String> stored = new TreeMap<>();
        List<String> ofValueHead = new ArrayList<>();
        for (String name : file.names()) {
            String key = name.startsWith("transformer.") ? name.substring("transformer.".length()) : name;
            if (VALUE_HEAD.matcher(key).matches()) {
                ofValueHead.add(name);
            }
            if (CONSTANT.matcher(key).matches() || VALUE_HEAD.matcher(key).matches()) {
                continue;
            }
            String other = stored.put(key, name);
            if (other != null) {
                throw new InputException(file.path(name) + ": expected one tensor '" + key + "', found '" + other
                        + "' and '" + name + "'");
            }
        }
        if (!ofValueHead.isEmpty()) {
            LOG.warn(
                    "{}: a value head, which no output depends on, is left out: {}",
                    file.path(ofValueHead.getFirst()),
                    some(ofValueHead));
        }
        return stored;
    }

    /**
     * What {@code tie_word_embeddings} comes to, as in Transformers: a head that is stored is the head. One that equals
     * the embedding is left where it is; one that alone is stored is the embedding too.
     *
     * @param stored loses the head, or gets it under the embedding's name, where the model is tied
     */
    private static Gpt2Config settleHead(Gpt2Config config, SafetensorsSet file, Map<String, String> stored) {
        String head = stored.get(HEAD);
        if (!config.tiedHead() || head == null) {
            return config;
        }
        String embedding = stored.get(EMBEDDING);
        if (embedding == null) {
            stored.put(EMBEDDING, stored.remove(HEAD));
            return config;
        }
        if (file.info(head).shape().equals(file.info(embedding).shape()) && equal(file, head, embedding)) {
            stored.remove(HEAD);
            return config;
        }
        LOG.warn(
                "{}: '{}' differs from '{}' though config.json says tie_word_embeddings: it is the output head, as in"
                        + " Transformers",
                file.path(head),
                head,
                embedding);
        return config.untied();
    }

    private static boolean equal(SafetensorsSet file, String a, String b) {
        try (TensorScope _ = new TensorScope()) {
            Tensor one = file.tensor(a);
            Tensor other = file.tensor(b);
            for (long from = 0; from < one.numel(); from += COMPARED) { // in parts: they may be a gigabyte each
                long count = Math.min(COMPARED, one.numel() - from);
                try (TensorScope _ = new TensorScope()) {
                    if (!one.reshape(-1)
                            .narrow(0, from, count)
                            .to(torch.ScalarType.Double)
                            .equal(other.reshape(-1).narrow(0, from, count).to(torch.ScalarType.Double))) {
                        return false;
                    }
                }
            }
            return true;
        }
    }

    private static Tensor take(
            SafetensorsSet file, Map<String, String> stored, String name, long[] shape, Device device) {
        String found = stored.remove(name);
        if (found == null) {
            throw new InputException("%s: expected a tensor '%s' of shape %s, found none"
                    .formatted(file.path(name), name, Arrays.toString(shape)));
        }
        List<Long> foundShape = file.info(found).shape();
        if (!foundShape.equals(Arrays.stream(shape).boxed().toList())) {
            throw new InputException("%s: tensor '%s': expected shape %s, found %s"
                    .formatted(file.path(found), found, Arrays.toString(shape), foundShape));
        }
        try (TensorScope scope = new TensorScope()) {
            Tensor tensor = file.tensor(found);
            if (!torch.isFloatingType(tensor.scalar_type())) {
                throw new InputException("%s: tensor '%s': expected floating-point numbers, found %s"
                        .formatted(file.path(found), found, file.info(found).dtype()));
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
