package dev.prefix4j.model;

import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.prefix4j.AtomicFile;
import dev.prefix4j.InputException;
import dev.prefix4j.InputFile;
import dev.prefix4j.torch.SafetensorsSet;
import dev.prefix4j.torch.SafetensorsWriter;
import dev.prefix4j.torch.TensorScope;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.regex.Pattern;
import org.bytedeco.pytorch.Device;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A Hugging Face model folder: {@code config.json} and {@code model.safetensors}, or its shards with
 * {@code model.safetensors.index.json}. Tensor names may begin with the family's stem ({@code transformer.}, {@code model.}) or not.
 */
public final class Checkpoint {
    /** The value head of TRL's {@code AutoModelForCausalLMWithValueHead}, which does not affect the logits. */
    private static final Pattern VALUE_HEAD = Pattern.compile("v_head\\.(summary\\.)?(weight|bias)");

    private static final String HEAD = Family.Names.HEAD + ".weight";
    private static final long COMPARED = 1 << 22;
    private static final int MAX_CONFIG_BYTES = 4 << 20;
    private static final Logger LOG = LoggerFactory.getLogger(Checkpoint.class);

    private Checkpoint() {}

    /**
     * Loads a model in float32. On the CPU, float32 weights stay in the file: they are mapped into memory, shared with
     * every process that maps the same file. float16 and bfloat16 weights are converted.
     *
     * @return a model whose tensors belong to the open {@link TensorScope}, or to the caller
     * @throws InputException if a file is missing or malformed, or a tensor is missing, unexpected or of another shape
     */
    public static BaseModel load(Path folder, Device device) {
        return load(folder, device, true);
    }

    /**
     * As {@link #load}, but bfloat16 and float16 matrices keep their type, on the CPU in the file, too: for who makes another form
     * of them, as 8 bits do. Vectors are float32.
     */
    public static BaseModel open(Path folder, Device device) {
        return load(folder, device, false);
    }

    private static BaseModel load(Path folder, Device device, boolean floats) {
        ModelConfig config = Families.read(folder);
        if (!Files.exists(folder.resolve("model.safetensors"))
                && !Files.exists(folder.resolve("model.safetensors.index.json"))
                && Files.exists(folder.resolve("pytorch_model.bin"))) {
            throw new InputException(folder + ": expected model.safetensors, found only pytorch_model.bin:"
                    + " save the model again with Transformers' save_pretrained");
        }
        try (SafetensorsSet file = SafetensorsSet.open(folder, "model")) {
            Map<String, String> stored = stored(config.family(), file);
            ModelConfig settled = settleHead(config, file, stored);
            Map<String, Tensor> weights = new LinkedHashMap<>();
            Shapes.of(settled)
                    .forEach((name, shape) -> weights.put(name, take(file, stored, name, shape, device, floats)));
            if (!stored.isEmpty()) {
                throw new InputException("%s: %s no %s of this configuration has: %s"
                        .formatted(
                                file.path(stored.values().iterator().next()),
                                stored.size() == 1 ? "found a tensor that" : "found " + stored.size() + " tensors that",
                                config.family().title(),
                                some(List.copyOf(stored.values()))));
            }
            return new BaseModel(settled, device, weights);
        }
    }

    /**
     * Writes {@code config.json}, {@code generation_config.json} and {@code model.safetensors}, as Transformers does;
     * the caller writes the tokenizer's files.
     *
     * @param config of the model, with its family's keys; the type is added
     * @param folder created if needed
     * @param type of the stored weights: Float, Half or BFloat16
     * @throws InputException if a value is not finite in the type, or the files cannot be written
     */
    public static void save(BaseModel model, ObjectNode config, Path folder, torch.ScalarType type) {
        AtomicFile.createFolder(folder);
        write(model.config().family().names(), model.weights(), folder, type);
        config.put("dtype", dtype(type));
        AtomicFile.write(folder.resolve("config.json"), config.toPrettyString() + "\n");
        AtomicFile.write(
                folder.resolve("generation_config.json"),
                generation(model.config().tokens()).toPrettyString() + "\n");
    }

    /** The token ids for {@code generation_config.json}. */
    private static ObjectNode generation(ModelConfig.Tokens tokens) {
        ObjectNode json = JsonNodeFactory.instance.objectNode();
        json.put("bos_token_id", tokens.bosId());
        if (tokens.ends().size() == 1) {
            json.put("eos_token_id", tokens.ends().iterator().next());
        } else {
            tokens.ends().forEach(json.putArray("eos_token_id")::add);
        }
        return json;
    }

    /** The name of a weight type. */
    private static String dtype(torch.ScalarType type) {
        return switch (type) {
            case Half -> "float16";
            case BFloat16 -> "bfloat16";
            default -> "float32";
        };
    }

    /**
     * Writes a modified model like {@link #save}, keeping its folder's {@code generation_config.json} and the keys of
     * {@code config.json} that do not follow from the weights. A separate head unties the model.
     *
     * @param base folder of the original model
     * @param model the modified model
     * @param folder created if needed
     * @throws InputException if a value is not finite in the type, or the files cannot be written
     */
    public static void export(Path base, BaseModel model, Path folder, torch.ScalarType type) {
        Family family = model.config().family();
        ConfigFile file = ConfigFile.read(base.resolve("config.json"), "a Hugging Face model configuration");
        ObjectNode config = file.json().deepCopy();
        config.putArray("architectures").add(family.architecture(file.text("model_type", family.name())));
        config.put("tie_word_embeddings", !model.weights().containsKey(HEAD));
        config.remove("torch_dtype");
        config.put("dtype", dtype(type));
        AtomicFile.createFolder(folder);
        Path generation = base.resolve("generation_config.json");
        if (Files.exists(generation)) {
            AtomicFile.write(
                    folder.resolve("generation_config.json"),
                    InputFile.readString(generation, "a generation configuration", MAX_CONFIG_BYTES));
        }
        write(family.names(), model.weights(), folder, type);
        AtomicFile.write(folder.resolve("config.json"), config.toPrettyString() + "\n");
    }

    private static void write(Family.Names names, Map<String, Tensor> weights, Path folder, torch.ScalarType type) {
        try (TensorScope _ = new TensorScope()) {
            Map<String, Tensor> tensors = new TreeMap<>();
            weights.forEach((name, weight) -> {
                Tensor stored = weight.detach().to(type);
                if (!torch.isfinite(stored).all().item_bool()) {
                    throw new InputException("tensor '%s': expected finite numbers, found NaN or infinity in %s"
                            .formatted(name, dtype(type)));
                }
                tensors.put(names.full(name), stored);
            });
            SafetensorsWriter.write(folder.resolve("model.safetensors"), tensors, Map.of("format", "pt"));
        }
    }

    /** Names in the files, by the modules' names, in order. */
    private static Map<String, String> stored(Family family, SafetensorsSet file) {
        Map<String, String> stored = new TreeMap<>();
        List<String> ofValueHead = new ArrayList<>();
        for (String name : file.names()) {
            String key = family.names().bare(name);
            if (VALUE_HEAD.matcher(key).matches()) {
                ofValueHead.add(name);
            }
            if (family.constant(key) || VALUE_HEAD.matcher(key).matches()) {
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
                    "{}: ignoring a value head, on which no output depends: {}",
                    file.path(ofValueHead.getFirst()),
                    some(ofValueHead));
        }
        return stored;
    }

    /**
     * Resolves {@code tie_word_embeddings} as Transformers does: a stored head is used as the head. One that equals
     * the embedding is not loaded; one stored without an embedding is the embedding too.
     *
     * @param stored if the model is tied, loses the head, or gets it under the embedding's name
     */
    private static ModelConfig settleHead(ModelConfig config, SafetensorsSet file, Map<String, String> stored) {
        String head = stored.get(HEAD);
        if (!config.tiedHead() || head == null) {
            return config;
        }
        String words = config.family().names().words() + ".weight";
        String embedding = stored.get(words);
        if (embedding == null) {
            stored.put(words, stored.remove(HEAD));
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
            for (long from = 0; from < one.numel(); from += COMPARED) { // in parts: each may be a gigabyte
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
            SafetensorsSet file,
            Map<String, String> stored,
            String name,
            List<Long> shape,
            Device device,
            boolean floats) {
        String found = stored.remove(name);
        if (found == null) {
            throw new InputException(
                    "%s: expected a tensor '%s' of shape %s, found none".formatted(file.path(name), name, shape));
        }
        List<Long> foundShape = file.info(found).shape();
        if (!foundShape.equals(shape)) {
            throw new InputException("%s: tensor '%s': expected shape %s, found %s"
                    .formatted(file.path(found), found, shape, foundShape));
        }
        try (TensorScope scope = new TensorScope()) {
            Tensor tensor = file.tensor(found);
            if (!torch.isFloatingType(tensor.scalar_type())) {
                throw new InputException("%s: tensor '%s': expected floating-point numbers, found %s"
                        .formatted(file.path(found), found, file.info(found).dtype()));
            }
            boolean kept = !floats && tensor.dim() > 1 && tensor.scalar_type().intern() != torch.ScalarType.Double;
            return scope.keep(tensor.to(device, kept ? tensor.scalar_type() : torch.ScalarType.Float));
        }
    }

    private static String some(List<String> names) {
        return names.size() <= 3
                ? String.join(", ", names)
                : String.join(", ", names.subList(0, 3)) + " and " + (names.size() - 3) + " more";
    }
}
