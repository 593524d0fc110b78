package dev.prefix4j.model.llama;

import dev.prefix4j.model.Activation;
import dev.prefix4j.model.ConfigFile;
import dev.prefix4j.model.Family;
import dev.prefix4j.model.ModelConfig;
import dev.prefix4j.model.ModelConfig.Attention;
import dev.prefix4j.model.ModelConfig.Mlp;
import dev.prefix4j.model.ModelConfig.Norm;
import dev.prefix4j.model.TokenReader;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/**
 * Llama 2 and 3 (Touvron et al. 2023, arXiv:2307.09288) and models built like it: SmolLM2, Mistral, Qwen2 and 2.5 (biases on queries,
 * keys and values), Qwen3 (normalized queries and keys).
 */
public final class LlamaFamily implements Family {
    /** The only instance. */
    public static final LlamaFamily LLAMA = new LlamaFamily();

    private static final int MAX_HEAD_WIDTH = 1 << 16;

    private LlamaFamily() {}

    @Override
    public String name() {
        return "llama";
    }

    @Override
    public String title() {
        return "Llama";
    }

    @Override
    public Set<String> types() {
        return Set.of("llama", "mistral", "qwen2", "qwen3");
    }

    @Override
    public String architecture(String type) {
        return switch (type) {
            case "mistral" -> "MistralForCausalLM";
            case "qwen2" -> "Qwen2ForCausalLM";
            case "qwen3" -> "Qwen3ForCausalLM";
            default -> "LlamaForCausalLM";
        };
    }

    @Override
    public List<String> loraTargets() {
        return List.of("q_proj", "v_proj");
    }

    @Override
    public Names names() {
        return new Names("model.", "embed_tokens", "", "norm", false, LlamaFamily::block);
    }

    private static Block block(int layer) {
        String block = "layers." + layer + '.';
        String attention = block + "self_attn.";
        String mlp = block + "mlp.";
        return new Block(
                block + "input_layernorm",
                block + "self_attn",
                List.of(attention + "q_proj", attention + "k_proj", attention + "v_proj"),
                attention + "q_norm",
                attention + "k_norm",
                attention + "o_proj",
                block + "post_attention_layernorm",
                block + "mlp",
                List.of(mlp + "gate_proj", mlp + "up_proj"),
                mlp + "down_proj");
    }

    @Override
    public boolean constant(String name) {
        return name.endsWith("rotary_emb.inv_freq");
    }

    @Override
    public ModelConfig read(ConfigFile file, TokenReader tokens) {
        String type = file.text("model_type", "llama");
        int width = file.positive("hidden_size", 4096);
        int heads = file.positive("num_attention_heads", 32);
        int vocabulary = file.positive("vocab_size", type.startsWith("qwen") ? 151_936 : 32_000);
        boolean llama = type.equals("llama");
        int keyHeads = file.positive("num_key_value_heads", llama ? heads : type.equals("mistral") ? 8 : 32);
        int headWidth = file.positive("head_dim", type.equals("qwen3") ? 128 : width / heads);
        if (headWidth % 2 != 0 || headWidth > MAX_HEAD_WIDTH) {
            throw file.wrong("head_dim", "an even number of at most " + MAX_HEAD_WIDTH, headWidth);
        }
        boolean biased = switch (type) {
            case "qwen2" -> true;
            case "mistral" -> false;
            default -> file.flag("attention_bias", false);
        };
        boolean outputBias = !type.equals("qwen2") && biased;
        Attention attention = new Attention(
                heads,
                keyHeads,
                headWidth,
                true,
                false,
                type.equals("qwen3"),
                biased,
                outputBias,
                Optional.of(RotaryReader.read(file, headWidth)));
        Mlp mlp = new Mlp(
                file.positive(
                        "intermediate_size",
                        switch (type) {
                            case "mistral" -> 14_336;
                            case "qwen2", "qwen3" -> 22_016;
                            default -> 11_008;
                        }),
                Activation.read(file, "hidden_act", Activation.SILU),
                true,
                llama && file.flag("mlp_bias", false));
        Set<Integer> one = type.startsWith("qwen") ? Set.of() : Set.of(1);
        Set<Integer> two = type.startsWith("qwen") ? Set.of() : Set.of(2);
        return new ModelConfig(
                this,
                file.positive("num_hidden_layers", 32),
                width,
                positions(file, type),
                vocabulary,
                attention,
                mlp,
                new Norm(Norm.Kind.RMS, file.number("rms_norm_eps", 1e-6)),
                file.flag("tie_word_embeddings", false),
                tokens.read(file, vocabulary, one, two));
    }

    /** A sliding window has no effect up to its own length, so that is the number of positions. */
    private static int positions(ConfigFile file, String type) {
        int positions = file.positive(
                "max_position_embeddings",
                switch (type) {
                    case "mistral" -> 131_072;
                    case "qwen2", "qwen3" -> 32_768;
                    default -> 2048;
                });
        boolean sliding = switch (type) {
            case "mistral" -> !file.json().has("sliding_window") || file.has("sliding_window");
            case "qwen2", "qwen3" -> file.flag("use_sliding_window", false);
            default -> false;
        };
        return sliding ? Math.min(positions, file.positive("sliding_window", 4096)) : positions;
    }
}
