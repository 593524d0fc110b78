package dev.prefix4j.gpt2;

import org.bytedeco.pytorch.Module;
import org.bytedeco.pytorch.Tensor;

/** A transformer block with normalization before each half (Radford et al. 2019, section 2.3). */
final class Block extends Module {
    private final LayerNorm ln1;
    private final Attention attn;
    private final LayerNorm ln2;
    private final Mlp mlp;
    private final Weights weights;

    Block(Weights weights, Gpt2Config config, int layer) {
        super("Block");
        this.weights = weights;
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
        Extension extension = weights.extension().get();
        Tensor h = x.add(extension.half(weights.module() + ".attn", attn.forward(ln1.forward(x), cache, mask)));
        return h.add(extension.half(weights.module() + ".mlp", mlp.forward(ln2.forward(h))));
    }
}
