package dev.prefix4j.model.llama;

import dev.prefix4j.model.AttentionMask;
import dev.prefix4j.model.KvCache;
import dev.prefix4j.model.ModelConfig;
import dev.prefix4j.model.ModuleWeights;
import org.bytedeco.pytorch.Module;
import org.bytedeco.pytorch.Tensor;

/** A transformer block with normalization before each half. */
final class Block extends Module {
    private final RmsNorm inputNorm;
    private final Attention attention;
    private final RmsNorm mlpNorm;
    private final GatedMlp mlp;

    Block(ModuleWeights weights, ModelConfig config, int layer) {
        super("Block");
        this.inputNorm = new RmsNorm(weights.in("input_layernorm"), config);
        this.attention = new Attention(weights.in("self_attn"), config, layer);
        this.mlpNorm = new RmsNorm(weights.in("post_attention_layernorm"), config);
        this.mlp = new GatedMlp(weights.in("mlp"), config);
        register_module("input_layernorm", inputNorm);
        register_module("self_attn", attention);
        register_module("post_attention_layernorm", mlpNorm);
        register_module("mlp", mlp);
    }

    /** [B, T, E] to [B, T, E]; the arguments are those of {@link Attention#forward}. */
    Tensor forward(Tensor x, Tensor cosine, Tensor sine, KvCache cache, AttentionMask mask) {
        Tensor h = x.add(attention.forward(inputNorm.forward(x), cosine, sine, cache, mask));
        return h.add(mlp.forward(mlpNorm.forward(h)));
    }
}
