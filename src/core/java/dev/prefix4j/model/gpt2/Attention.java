package dev.prefix4j.model.gpt2;

import dev.prefix4j.model.AttentionMask;
import dev.prefix4j.model.KvCache;
import dev.prefix4j.model.ModelConfig;
import dev.prefix4j.model.ModuleWeights;
import org.bytedeco.pytorch.DoubleOptional;
import org.bytedeco.pytorch.Module;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch;

/**
 * Multi-head self-attention over the cached and the new tokens.
 *
 * <p>B batch, H heads, T new tokens, S tokens in the cache after this call, D head width, E = H·D.
 */
final class Attention extends Module {
    private final Conv1d attn;
    private final Conv1d proj;
    private final int layer;
    private final long heads;
    private final double scale;

    Attention(ModuleWeights weights, ModelConfig config, int layer) {
        super("Attention");
        this.attn = new Conv1d(weights.in("c_attn"));
        this.proj = new Conv1d(weights.in("c_proj"));
        this.layer = layer;
        this.heads = config.heads();
        this.scale = config.attentionScale(layer);
        register_module("c_attn", attn);
        register_module("c_proj", proj);
    }

    /**
     * @param x [B, T, E]
     * @param cache receives the keys and values of the new tokens
     * @return [B, T, E]
     */
    Tensor forward(Tensor x, KvCache cache, AttentionMask mask) {
        long width = x.size(2);
        TensorVector parts = torch.split(attn.forward(x), width, 2); // 3 of [B, T, E]
        Tensor q = split(parts.get(0)); // [B, H, T, D]
        KvCache.KeyValue past = cache.append(layer, split(parts.get(1)), split(parts.get(2)));
        Tensor k = past.key(); // [B, H, S, D]
        Tensor v = past.value(); // [B, H, S, D]
        Tensor y = torch.scaled_dot_product_attention(
                q, k, v, mask.allowed(), 0, mask.causal(), new DoubleOptional(scale), false); // [B, H, T, D]
        return proj.forward(merge(y, width)); // [B, T, E]
    }

    /** [B, T, E] to [B, H, T, D]. */
    private Tensor split(Tensor x) {
        return x.view(x.size(0), x.size(1), heads, x.size(2) / heads).transpose(1, 2);
    }

    /** [B, H, T, D] to [B, T, E]. */
    private static Tensor merge(Tensor y, long width) {
        return y.transpose(1, 2).reshape(y.size(0), y.size(2), width);
    }
}
