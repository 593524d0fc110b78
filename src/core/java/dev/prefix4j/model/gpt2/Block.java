package dev.prefix4j.model.gpt2;

import dev.prefix4j.model.AttentionMask;
import dev.prefix4j.model.KvCache;
import dev.prefix4j.model.ModelConfig;
import dev.prefix4j.model.ModuleWeights;
import org.bytedeco.pytorch.Module;
import org.bytedeco.pytorch.Tensor;

/** A transformer block with normalization before each half (Radford et al. 2019, section 2.3). */
final class Block extends Module {
    private final LayerNorm ln1;
    private final Attention attn;
    private final LayerNorm ln2;
    private final Mlp mlp;

    Block(ModuleWeights weights, ModelConfig config, int layer) {
        super("Block");
        this.ln1 = new LayerNorm(weights.in("ln_1"), config);
        this.attn = new Attention(weights.in("attn"), config, layer);
        this.ln2 = new LayerNorm(weights.in("ln_2"), config);
        this.mlp = new Mlp(weights.in("mlp"), config);
        register_module("ln_1", ln1);
        register_module("attn", attn);
        register_module("ln_2", ln2);
        register_module("mlp", mlp);
    }

    /** [B, T, E] to [B, T, E]; the arguments are those of {@link Attention#forward}. */
    Tensor forward(Tensor x, KvCache cache, AttentionMask mask) {
        Tensor h = x.add(attn.forward(ln1.forward(x), cache, mask));
        return h.add(mlp.forward(ln2.forward(h)));
    }
}
