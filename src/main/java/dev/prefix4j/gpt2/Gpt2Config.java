package dev.prefix4j.gpt2;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.prefix4j.InputException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Collections;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
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
 * @param bos id of the token between source and target; {@link #NONE} if the model has none
 * @param eos id of the token that ends a target in training and scoring; {@link #NONE} if the model has none
 * @param ends ids that end what the model alone generates; {@link #read} says where they come from
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
        int eos,
        Set<Integer> ends) {

    /** Stands for a token that a model does not have. */
    public static final int NONE = -1;

    /** Tokens that end a text: more are no list that somebody wrote. */
    private static final int MAX_ENDS = 256;

    /** The activation functions of GPT-2 checkpoints. */
    public enum Activation {
        /**
         * GELU approximated by tanh: {@code gelu_new}, {@code gelu_pytorch_tanh}, {@code gelu_fast} and
         * {@code gelu_accurate} (one formula, four codings).
         */
        GELU_TANH("gelu_pytorch_tanh"),
        /** GELU by the error function: {@code gelu}, {@code gelu_python}. */
        GELU("gelu"),
        /** GELU approximated by x·σ(1.702 x): {@code quick_gelu}. */
        QUICK_GELU("quick_gelu"),
        /** {@code relu}. */
        RELU("relu"),
        /** x·σ(x): {@code silu}, {@code swish}. */
        SILU("silu"),
        /** {@code tanh}. */
        TANH("tanh");

        private final String key;

        Activation(String key) {
            this.key = key;
        }

        private static Activation read(ConfigFile file) {
            String name = file.text("activation_function", "gelu_new");
            return switch (name) {
                case "gelu_new", "gelu_pytorch_tanh", "gelu_fast", "gelu_accurate" -> GELU_TANH;
                case "gelu", "gelu_python" -> GELU;
                case "quick_gelu" -> QUICK_GELU;
                case "relu" -> RELU;
                case "silu", "swish" -> SILU;
                case "tanh" -> TANH;
                default ->
                    throw file.wrong(
                            "activation_function",
                            "gelu_new, gelu_pytorch_tanh, gelu_fast, gelu_accurate, gelu, gelu_python, quick_gelu,"
                                    + " relu, silu, swish or tanh",
                            name);
            };
        }
    }

    /** A model whose outputs end with {@code eos}. */
    public Gpt2Config(
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
        this(
                layers,
                heads,
                width,
                positions,
                vocabulary,
                innerWidth,
                activation,
                layerNormEpsilon,
                scaleAttention,
                scaleAttentionByLayer,
                tiedHead,
                bos,
                eos,
                eos == NONE ? Set.of() : Set.of(eos));
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
        ends = Collections.unmodifiableSortedSet(new TreeSet<>(ends));
        ends.forEach(end -> token("eos_token_id", end, vocabulary));
    }

    /** @throws InputException if the model has none */
    public int bos() {
        return required("between a source and its target", "bos", bos);
    }

    /** @throws InputException if the model has none */
    public int eos() {
        return required("that ends a target", "eos", eos);
    }

    private int required(String role, String name, int id) {
        if (id == NONE) {
            throw new InputException(
                    ("the model has no token %s: expected %s_token_id below vocab_size %d in config.json, or %s_token"
                        + " in tokenizer_config.json with such an id; found neither (generate --raw needs none)")
                            .formatted(role, name, vocabulary, name));
        }
        return id;
    }

    /** The tokens that end what is generated under an adapter: {@link #ends}, and the one that ended its targets. */
    public Set<Integer> endsOfTargets() {
        Set<Integer> all = new TreeSet<>(ends);
        if (eos != NONE) {
            all.add(eos);
        }
        return all;
    }

    /** The same model with a head of its own. */
    Gpt2Config untied() {
        return new Gpt2Config(
                layers,
                heads,
                width,
                positions,
                vocabulary,
                innerWidth,
                activation,
                layerNormEpsilon,
                scaleAttention,
                scaleAttentionByLayer,
                false,
                bos,
                eos,
                ends);
    }

    private static void positive(String key, int value) {
        if (value < 1 || value > 1 << 24) {
            throw new InputException(key + " must be between 1 and 16777216, was " + value);
        }
    }

    private static void token(String key, int value, int vocabulary) {
        if (value != NONE && (value < 0 || value >= vocabulary)) {
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
     * Reads {@code config.json} of a Hugging Face GPT-2 folder, and what of the files beside it says which tokens end a
     * text. As in Transformers an id outside the vocabulary is no error: no output has it.
     *
     * <ul>
     *   <li>{@code bos}, {@code eos}: {@code bos_token_id} and {@code eos_token_id} of {@code config.json}, of a list the
     *       first that is in the vocabulary; or else the tokenizer's {@code bos_token} and {@code eos_token}
     *   <li>{@code ends}: {@code eos_token_id} of {@code generation_config.json} if the file is there, which Transformers'
     *       {@code generate} goes by, or else that of {@code config.json}
     * </ul>
     *
     * @throws InputException if the file is missing, no JSON, not of a GPT-2, or has a value out of range
     */
    public static Gpt2Config read(Path folder) {
        if (!Files.isDirectory(folder)) {
            throw new InputException(
                    folder + ": expected a model folder, found " + (Files.exists(folder) ? "a file" : "nothing"));
        }
        if (!Files.exists(folder.resolve("config.json")) && Files.exists(folder.resolve("adapter_config.json"))) {
            throw new InputException(
                    folder + ": expected a model, found an adapter (adapter_config.json, no config.json):"
                            + " give its base model as --model and this folder as --adapter");
        }
        ConfigFile file = ConfigFile.read(folder.resolve("config.json"), "a Hugging Face model configuration");
        String type = file.text("model_type", "gpt2");
        if (!type.equals("gpt2")) {
            throw file.wrong("model_type", "gpt2, the one family that prefix4j runs", type);
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
        Set<Integer> named = tokens(file, "eos_token_id", vocabulary, Set.of(50256));
        int bos = tokens(file, "bos_token_id", vocabulary, Set.of(50256)).stream()
                .findFirst()
                .orElseGet(() -> SpecialTokens.id(folder, "bos_token", vocabulary));
        int eos = named.stream().findFirst().orElseGet(() -> SpecialTokens.id(folder, "eos_token", vocabulary));
        Path generation = folder.resolve("generation_config.json");
        Set<Integer> ends = Files.exists(generation)
                ? tokens(
                        ConfigFile.read(generation, "a generation configuration"), "eos_token_id", vocabulary, Set.of())
                : named;
        try {
            return new Gpt2Config(
                    layers,
                    heads,
                    width,
                    positions,
                    vocabulary,
                    innerWidth,
                    Activation.read(file),
                    file.number("layer_norm_epsilon", 1e-5),
                    file.flag("scale_attn_weights", true),
                    file.flag("scale_attn_by_inverse_layer_idx", false),
                    file.flag("tie_word_embeddings", true),
                    bos,
                    eos,
                    ends);
        } catch (InputException e) {
            // What the constructor refuses does not know its file yet.
            String message = e.getMessage();
            throw message.startsWith(file.file().toString())
                    ? e
                    : new InputException(file.file() + ": key " + message, e);
        }
    }

    /** Ids of a key that is an integer, a list of them, or null; without those outside the vocabulary. */
    private static Set<Integer> tokens(ConfigFile file, String key, int vocabulary, Set<Integer> absent) {
        JsonNode value = file.json().get(key);
        Set<Integer> ids = new LinkedHashSet<>();
        if (value == null) {
            ids.addAll(absent);
        } else if (!value.isNull()) {
            if (value.size() > MAX_ENDS) {
                throw file.wrong(key, "at most " + MAX_ENDS + " ids", value.size() + " of them");
            }
            for (JsonNode id : value.isArray() ? value : List.of(value)) {
                if (!id.isIntegralNumber()) {
                    throw file.wrong(key, "an integer, a list of integers or null", value);
                }
                ids.add(id.canConvertToInt() ? id.intValue() : NONE);
            }
        }
        ids.removeIf(id -> id < 0 || id >= vocabulary);
        return ids;
    }

    /** What {@code generation_config.json} says of it. */
    ObjectNode generationJson() {
        ObjectNode json = JsonNodeFactory.instance.objectNode();
        json.put("bos_token_id", bos == NONE ? null : Integer.valueOf(bos));
        if (ends.size() == 1) {
            json.put("eos_token_id", ends.iterator().next());
        } else {
            ends.forEach(json.putArray("eos_token_id")::add);
        }
        return json;
    }

    /** As {@link #read} takes it, for weights of a type; dropout is 0. */
    ObjectNode json(torch.ScalarType type) {
        ObjectNode json = JsonNodeFactory.instance.objectNode();
        json.putArray("architectures").add("GPT2LMHeadModel");
        json.put("model_type", "gpt2");
        json.put("n_layer", layers).put("n_head", heads).put("n_embd", width).put("n_positions", positions);
        json.put("n_inner", innerWidth).put("vocab_size", vocabulary);
        json.put("activation_function", activation.key);
        json.put("layer_norm_epsilon", layerNormEpsilon);
        json.put("scale_attn_weights", scaleAttention).put("scale_attn_by_inverse_layer_idx", scaleAttentionByLayer);
        json.put("tie_word_embeddings", tiedHead);
        json.put("bos_token_id", bos == NONE ? null : Integer.valueOf(bos));
        json.put("eos_token_id", eos == NONE ? null : Integer.valueOf(eos));
        json.put("attn_pdrop", 0.0).put("embd_pdrop", 0.0).put("resid_pdrop", 0.0);
        json.put("dtype", dtype(type));
        return json;
    }

    /** The name of a type of weights. */
    static String dtype(torch.ScalarType type) {
        return switch (type) {
            case Half -> "float16";
            case BFloat16 -> "bfloat16";
            default -> "float32";
        };
    }
}
