package dev.prefix4j.gpt2;

import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.prefix4j.InputException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.bytedeco.pytorch.global.torch;

/**
 * The geometry of a GPT-2 and what its forward pass depends on: the part of a Hugging Face {@code config.json} that
 * changes numbers. Dropout rates are read by nobody here: the base is a fixed function, in training too.
 *
 * @param layers blocks, {@code n_layer}
 * @param heads attention heads, {@code n_head}
 * @param width embedding size E, {@code n_embd}
 * @param positions positions that the model has learned, {@code n_positions}
 * @param vocabulary tokens, {@code vocab_size}
 * @param innerWidth hidden size of the MLP, {@code n_inner}, 4 E by default
 * @param activation of the MLP
 * @param layerNormEpsilon {@code layer_norm_epsilon}
 * @param scaleAttention divide attention scores by the square root of the head width, {@code scale_attn_weights}
 * @param scaleAttentionByLayer divide them by the layer's number from 1 too, {@code scale_attn_by_inverse_layer_idx}
 * @param tiedHead the output head is the token embedding, {@code tie_word_embeddings}
 * @param bos id of the token between source and target, {@code bos_token_id}
 * @param eos id of the token that ends a target, {@code eos_token_id}
 */
public record Gpt2Config(
        int layers,
        int heads,
        int width,
        int positions,
        int vocabulary,
        int innerWidth,
        Activation activation,
        double layerNormEpsilon,
        boolean scaleAttention,
        boolean scaleAttentionByLayer,
        boolean tiedHead,
        int bos,
        int eos) {

    /** The activation functions of GPT-2 checkpoints. */
    public enum Activation {
        /** GELU approximated by tanh: {@code gelu_new} and {@code gelu_pytorch_tanh} (one formula, two codings). */
        GELU_TANH,
        /** GELU by the error function: {@code gelu}. */
        GELU,
        /** {@code relu}. */
        RELU
    }

    public Gpt2Config {
        positive("n_layer", layers);
        positive("n_head", heads);
        positive("n_embd", width);
        positive("n_positions", positions);
        positive("vocab_size", vocabulary);
        positive("n_inner", innerWidth);
        if (width % heads != 0) {
            throw new InputException(
                    "n_embd must be a multiple of n_head, was %d with %d heads".formatted(width, heads));
        }
        if (!(layerNormEpsilon > 0 && layerNormEpsilon < 1)) {
            throw new InputException("layer_norm_epsilon must be between 0 and 1, was " + layerNormEpsilon);
        }
        token("bos_token_id", bos, vocabulary);
        token("eos_token_id", eos, vocabulary);
    }

    private static void positive(String key, int value) {
        if (value < 1 || value > 1 << 24) {
            throw new InputException(key + " must be between 1 and 16777216, was " + value);
        }
    }

    private static void token(String key, int value, int vocabulary) {
        if (value < 0 || value >= vocabulary) {
            throw new InputException("%s must be below vocab_size %d, was %d".formatted(key, vocabulary, value));
        }
    }

    /** Width of an attention head, D. */
    public int headWidth() {
        return width / heads;
    }

    /** Factor of the attention scores in a block, counted from 0. */
    public double attentionScale(int layer) {
        double scale = scaleAttention ? 1 / Math.sqrt(headWidth()) : 1;
        return scaleAttentionByLayer ? scale / (layer + 1) : scale;
    }

    /**
     * Reads {@code config.json} of a Hugging Face GPT-2 folder.
     *
     * @throws InputException if the file is missing, no JSON, not of a GPT-2, or has a value out of range
     */
    public static Gpt2Config read(Path folder) {
        if (!Files.isDirectory(folder)) {
            throw new InputException(folder + ": expected a model folder, found "
                    + (Files.exists(folder) ? "a file" : "nothing"));
        }
        ConfigFile file = ConfigFile.read(folder.resolve("config.json"), "a Hugging Face model configuration");
        String type = file.text("model_type", "gpt2");
        if (!type.equals("gpt2")) {
            throw file.wrong("model_type", "gpt2", type);
        }
        if (file.flag("add_cross_attention", false)) {
            throw file.wrong("add_cross_attention", "false", true);
        }
        int width = file.integer("n_embd", 768);
        int layers = file.integer("n_layer", 12);
        int heads = file.integer("n_head", 12);
        int positions = file.integer(file.has("n_positions") || !file.has("n_ctx") ? "n_positions" : "n_ctx", 1024);
        int vocabulary = file.integer("vocab_size", 50257);
        int innerWidth = file.integer("n_inner", 4 * width);
        int bos = file.integer("bos_token_id", 50256);
        int eos = file.integer("eos_token_id", 50256);
        try {
            return new Gpt2Config(
                    layers,
                    heads,
                    width,
                    positions,
                    vocabulary,
                    innerWidth,
                    activation(file),
                    file.number("layer_norm_epsilon", 1e-5),
                    file.flag("scale_attn_weights", true),
                    file.flag("scale_attn_by_inverse_layer_idx", false),
                    file.flag("tie_word_embeddings", true),
                    bos,
                    eos);
        } catch (InputException e) {
            // What the constructor refuses does not know its file yet.
            String message = e.getMessage();
            throw message.startsWith(file.file().toString())
                    ? e
                    : new InputException(file.file() + ": key " + message, e);
        }
    }

    /** As {@link #read} takes it, for weights of a type; dropout is 0. */
    ObjectNode json(torch.ScalarType type) {
        ObjectNode json = JsonNodeFactory.instance.objectNode();
        json.putArray("architectures").add("GPT2LMHeadModel");
        json.put("model_type", "gpt2");
        json.put("n_layer", layers).put("n_head", heads).put("n_embd", width).put("n_positions", positions);
        json.put("n_inner", innerWidth).put("vocab_size", vocabulary);
        json.put("activation_function", switch (activation) {
            case GELU_TANH -> "gelu_pytorch_tanh";
            case GELU -> "gelu";
            case RELU -> "relu";
        });
        json.put("layer_norm_epsilon", layerNormEpsilon);
        json.put("scale_attn_weights", scaleAttention).put("scale_attn_by_inverse_layer_idx", scaleAttentionByLayer);
        json.put("tie_word_embeddings", tiedHead).put("bos_token_id", bos).put("eos_token_id", eos);
        json.put("attn_pdrop", 0.0).put("embd_pdrop", 0.0).put("resid_pdrop", 0.0);
        json.put("dtype", switch (type) {
            case Half -> "float16";
            case BFloat16 -> "bfloat16";
            default -> "float32";
        });
        return json;
    }

    private static Activation activation(ConfigFile file) {
        String name = file.text("activation_function", "gelu_new");
        return switch (name) {
            case "gelu_new", "gelu_pytorch_tanh" -> Activation.GELU_TANH;
            case "gelu" -> Activation.GELU;
            case "relu" -> Activation.RELU;
            default -> throw file.wrong("activation_function", "gelu_new, gelu_pytorch_tanh, gelu or relu", name);
        };
    }
}
