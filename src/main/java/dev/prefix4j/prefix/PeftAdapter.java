package dev.prefix4j.prefix;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.prefix4j.AtomicFile;
import dev.prefix4j.InputException;
import dev.prefix4j.gpt2.ConfigFile;
import dev.prefix4j.torch.Safetensors;
import dev.prefix4j.torch.SafetensorsWriter;
import dev.prefix4j.torch.TensorScope;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeSet;
import org.bytedeco.pytorch.Device;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;

/**
 * A prefix as Hugging Face PEFT stores it: a folder with {@code adapter_config.json} ({@code peft_type} PREFIX_TUNING)
 * and {@code adapter_model.safetensors}, which holds one tensor {@code prompt_embeddings} [P, 2·L·E]. PEFT loads what
 * this class writes, and this class what PEFT saves.
 */
public final class PeftAdapter {
    private static final String CONFIG = "adapter_config.json";
    private static final String WEIGHTS = "adapter_model.safetensors";
    private static final String TENSOR = "prompt_embeddings";
    private static final int MAX_SIZE = 1 << 20;
    private static final ObjectMapper JSON = new ObjectMapper();

    private PeftAdapter() {}

    /**
     * Writes a prefix. Each file is complete or not there; existing ones are replaced.
     *
     * @param baseModel name or path of the model that it belongs to
     * @param reparametrization how it was trained: a remark in the configuration
     * @param hidden width of the MLP that trained it; without meaning for {@code DIRECT}
     * @throws InputException if the folder cannot be written
     */
    public static void save(
            Prefix prefix,
            Path folder,
            String baseModel,
            PrefixEncoder.Reparametrization reparametrization,
            int hidden) {
        save(prefix, folder, baseModel, Optional.empty(), reparametrization, hidden);
    }

    /**
     * As above, for a model of the Hugging Face hub.
     *
     * @param revision of the base model; none: whatever the hub gives by default
     */
    public static void save(
            Prefix prefix,
            Path folder,
            String baseModel,
            Optional<String> revision,
            PrefixEncoder.Reparametrization reparametrization,
            int hidden) {
        PrefixShape shape = prefix.shape();
        boolean mlp = reparametrization == PrefixEncoder.Reparametrization.MLP;
        ObjectNode config = JSON.createObjectNode();
        config.putNull("auto_mapping");
        config.put("base_model_name_or_path", baseModel);
        config.put("encoder_hidden_size", mlp ? hidden : shape.width());
        config.put("inference_mode", true);
        config.put("num_attention_heads", shape.heads());
        config.put("num_layers", shape.layers());
        config.put("num_transformer_submodules", 1);
        config.put("num_virtual_tokens", shape.length());
        config.put("peft_type", "PREFIX_TUNING");
        config.put("prefix_projection", mlp);
        config.put("revision", revision.orElse(null));
        config.put("task_type", "CAUSAL_LM");
        config.put("token_dim", shape.width());
        AtomicFile.createFolder(folder);
        SafetensorsWriter.write(folder.resolve(WEIGHTS), Map.of(TENSOR, prefix.vectors()), Map.of("format", "pt"));
        AtomicFile.write(folder.resolve(CONFIG), config.toPrettyString() + "\n");
    }

    /**
     * Reads a prefix.
     *
     * @throws InputException if a file is missing or malformed, or is no prefix of a causal language model
     */
    public static Prefix load(Path folder, Device device) {
        if (!Files.isDirectory(folder)) {
            throw new InputException(folder + ": expected an adapter folder, found "
                    + (Files.exists(folder) ? "a file" : "nothing"));
        }
        PrefixShape shape = readConfig(folder.resolve(CONFIG));
        Path file = folder.resolve(WEIGHTS);
        try (TensorScope scope = new TensorScope();
                Safetensors tensors = Safetensors.open(file)) {
            if (!tensors.names().contains(TENSOR)) {
                throw new InputException("%s: expected a tensor '%s', found %s"
                        .formatted(file, TENSOR, new TreeSet<>(tensors.names())));
            }
            List<Long> expected = List.of((long) shape.length(), (long) shape.rowWidth());
            List<Long> found = tensors.info(TENSOR).shape();
            if (!found.equals(expected)) {
                throw new InputException("%s: tensor '%s': expected shape %s by %s, found %s"
                        .formatted(file, TENSOR, expected, CONFIG, found));
            }
            Tensor vectors = tensors.tensor(TENSOR);
            if (!torch.isFloatingType(vectors.scalar_type())) {
                throw new InputException("%s: tensor '%s': expected floating-point numbers, found %s"
                        .formatted(file, TENSOR, tensors.info(TENSOR).dtype()));
            }
            Prefix prefix = new Prefix(shape, vectors, device);
            scope.keep(prefix.vectors());
            return prefix;
        }
    }

    private static PrefixShape readConfig(Path path) {
        ConfigFile file = ConfigFile.read(path, "a PEFT adapter configuration");
        String type = file.text("peft_type", "nothing");
        if (!type.equals("PREFIX_TUNING")) {
            throw file.wrong("peft_type", "PREFIX_TUNING", type);
        }
        String task = file.text("task_type", "CAUSAL_LM");
        if (!task.equals("CAUSAL_LM")) {
            throw file.wrong("task_type", "CAUSAL_LM", task);
        }
        int heads = size(file, "num_attention_heads");
        int width = size(file, "token_dim");
        if (width % heads != 0) {
            throw file.wrong("token_dim", "a multiple of num_attention_heads " + heads, width);
        }
        return new PrefixShape(size(file, "num_virtual_tokens"), size(file, "num_layers"), heads, width / heads);
    }

    private static int size(ConfigFile file, String key) {
        int value = file.integer(key);
        if (value < 1 || value > MAX_SIZE) {
            throw file.wrong(key, "an integer from 1 to " + MAX_SIZE, value);
        }
        return value;
    }
}
