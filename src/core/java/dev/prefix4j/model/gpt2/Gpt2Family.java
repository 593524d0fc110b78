package dev.prefix4j.model.gpt2;

import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.prefix4j.InputException;
import dev.prefix4j.model.Activation;
import dev.prefix4j.model.BaseModel;
import dev.prefix4j.model.Checkpoint;
import dev.prefix4j.model.ConfigFile;
import dev.prefix4j.model.Family;
import dev.prefix4j.model.ModelConfig;
import dev.prefix4j.model.ModelConfig.Attention;
import dev.prefix4j.model.ModelConfig.Mlp;
import dev.prefix4j.model.ModelConfig.Norm;
import dev.prefix4j.model.ModelConfig.Tokens;
import dev.prefix4j.model.Shapes;
import dev.prefix4j.model.TokenReader;
import dev.prefix4j.torch.TorchRuntime;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.regex.Pattern;
import org.bytedeco.pytorch.Device;
import org.bytedeco.pytorch.DeviceOptional;
import org.bytedeco.pytorch.GeneratorOptional;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptions;
import org.bytedeco.pytorch.global.torch;

/** GPT-2 (Radford et al. 2019). */
public final class Gpt2Family implements Family {
    /** The only instance. */
    public static final Gpt2Family GPT2 = new Gpt2Family();

    /** Constants in old checkpoints: the causal mask and its fill value. */
    private static final Pattern CONSTANT = Pattern.compile("h\\.\\d+\\.attn\\.(bias|masked_bias)");

    private static final String ARCHITECTURE = "GPT2LMHeadModel";
    /** Standard deviation of the initial weights, {@code initializer_range}. */
    private static final double DEVIATION = 0.02;

    private static final int MAX_SIZE = 1 << 24;

    private Gpt2Family() {}

    @Override
    public String name() {
        return "gpt2";
    }

    @Override
    public String title() {
        return "GPT-2";
    }

    @Override
    public Set<String> types() {
        return Set.of("gpt2");
    }

    @Override
    public String architecture(String type) {
        return ARCHITECTURE;
    }

    @Override
    public List<String> loraTargets() {
        return List.of("c_attn");
    }

    @Override
    public Names names() {
        return new Names("transformer.", "wte", "wpe", "ln_f", true, Gpt2Family::block);
    }

    private static Block block(int layer) {
        String block = "h." + layer + '.';
        return new Block(
                block + "ln_1",
                block + "attn",
                List.of(block + "attn.c_attn"),
                "",
                "",
                block + "attn.c_proj",
                block + "ln_2",
                block + "mlp",
                List.of(block + "mlp.c_fc"),
                block + "mlp.c_proj");
    }

    @Override
    public boolean constant(String name) {
        return CONSTANT.matcher(name).matches();
    }

    /**
     * A configuration by GPT-2's own keys.
     *
     * @param layers {@code n_layer}
     * @param heads {@code n_head}
     * @param width {@code n_embd}
     * @param positions {@code n_positions}
     * @param vocabulary {@code vocab_size}
     * @param innerWidth {@code n_inner}
     * @param epsilon {@code layer_norm_epsilon}
     * @param scaled {@code scale_attn_weights}
     * @param scaledByLayer {@code scale_attn_by_inverse_layer_idx}
     * @param tiedHead {@code tie_word_embeddings}
     * @throws InputException naming the key that is out of range
     */
    public static ModelConfig config(
            int layers,
            int heads,
            int width,
            int positions,
            int vocabulary,
            int innerWidth,
            Activation activation,
            double epsilon,
            boolean scaled,
            boolean scaledByLayer,
            boolean tiedHead,
            Tokens tokens) {
        size("n_layer", layers);
        size("n_head", heads);
        size("n_embd", width);
        size("n_positions", positions);
        size("vocab_size", vocabulary);
        size("n_inner", innerWidth);
        if (width % heads != 0) {
            throw new InputException(
                    "n_embd must be a multiple of n_head, was %d with %d heads".formatted(width, heads));
        }
        if (!(epsilon > 0 && epsilon < 1)) {
            throw new InputException("layer_norm_epsilon must be between 0 and 1, was " + epsilon);
        }
        return new ModelConfig(
                GPT2,
                layers,
                width,
                positions,
                vocabulary,
                new Attention(heads, heads, width / heads, scaled, scaledByLayer, false, true, true, Optional.empty()),
                new Mlp(innerWidth, activation, false, true),
                new Norm(Norm.Kind.LAYER, epsilon),
                tiedHead,
                tokens);
    }

    private static void size(String key, int value) {
        if (value < 1 || value > MAX_SIZE) {
            throw new InputException(key + " must be between 1 and 16777216, was " + value);
        }
    }

    @Override
    public ModelConfig read(ConfigFile file, TokenReader tokens) {
        if (file.flag("add_cross_attention", false)) {
            throw file.wrong("add_cross_attention", "false", true);
        }
        int width = file.integer("n_embd", 768);
        int vocabulary = file.integer("vocab_size", 50257);
        return config(
                file.integer("n_layer", 12),
                file.integer("n_head", 12),
                width,
                file.integer(file.has("n_positions") || !file.has("n_ctx") ? "n_positions" : "n_ctx", 1024),
                vocabulary,
                file.integer("n_inner", 4 * width),
                Activation.read(file, "activation_function", Activation.GELU_TANH),
                file.number("layer_norm_epsilon", 1e-5),
                file.flag("scale_attn_weights", true),
                file.flag("scale_attn_by_inverse_layer_idx", false),
                file.flag("tie_word_embeddings", true),
                tokens.read(file, vocabulary, Set.of(50256), Set.of(50256)));
    }

    /**
     * A new model with random weights that can be trained: normal with a standard deviation of 0.02, less for the projections into the residual
     * stream (Radford et al. 2019, section 2.3). {@link TorchRuntime#seed} sets the seed.
     *
     * @param config of this family
     * @return a model whose tensors belong to the open scope, or to the caller
     */
    public static BaseModel initialize(ModelConfig config, Device device) {
        double residual = DEVIATION / Math.sqrt(2.0 * config.layers());
        TensorOptions options = new TensorOptions(torch.ScalarType.Float).device(new DeviceOptional(device));
        Map<String, Tensor> weights = new LinkedHashMap<>();
        Shapes.of(config).forEach((name, sizes) -> {
            long[] shape = sizes.stream().mapToLong(Long::longValue).toArray();
            Tensor weight;
            if (name.endsWith("bias")) {
                weight = torch.zeros(shape, options);
            } else if (shape.length == 1) {
                weight = torch.ones(shape, options); // gain of a normalization
            } else {
                double deviation = name.endsWith("c_proj.weight") ? residual : DEVIATION;
                weight = torch.empty(shape, options, null).normal_(0, deviation, new GeneratorOptional());
            }
            weights.put(name, weight.requires_grad_(true));
        });
        return new BaseModel(config, device, weights);
    }

    /**
     * Writes {@code config.json}, {@code generation_config.json} and {@code model.safetensors}, as Transformers does; the caller
     * writes the tokenizer's files.
     *
     * @param folder created if needed
     * @param type of the stored weights: Float, Half or BFloat16
     * @throws InputException if a value is not finite in the type, or the files cannot be written
     */
    public static void save(BaseModel model, Path folder, torch.ScalarType type) {
        Checkpoint.save(model, json(model.config()), folder, type);
    }

    /** In the format of {@link #read}; dropout is 0. */
    private static ObjectNode json(ModelConfig config) {
        ObjectNode json = JsonNodeFactory.instance.objectNode();
        json.putArray("architectures").add(ARCHITECTURE);
        json.put("model_type", "gpt2");
        json.put("n_layer", config.layers()).put("n_head", config.heads()).put("n_embd", config.width());
        json.put("n_positions", config.positions());
        json.put("n_inner", config.mlp().width()).put("vocab_size", config.vocabulary());
        json.put("activation_function", config.mlp().activation().key());
        json.put("layer_norm_epsilon", config.norm().epsilon());
        json.put("scale_attn_weights", config.attention().scaled());
        json.put("scale_attn_by_inverse_layer_idx", config.attention().scaledByLayer());
        json.put("tie_word_embeddings", config.tiedHead());
        json.put("bos_token_id", config.tokens().bosId());
        json.put("eos_token_id", config.tokens().eosId());
        json.put("attn_pdrop", 0.0).put("embd_pdrop", 0.0).put("resid_pdrop", 0.0);
        return json;
    }
}
