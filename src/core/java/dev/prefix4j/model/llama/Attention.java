package dev.prefix4j.model.llama;

import dev.prefix4j.model.AttentionMask;
import dev.prefix4j.model.KvCache;
import dev.prefix4j.model.ModelConfig;
import dev.prefix4j.model.ModuleWeights;
import java.util.Optional;
import org.bytedeco.pytorch.DoubleOptional;
import org.bytedeco.pytorch.Module;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch;

/**
 * Grouped-query self-attention with rotary positions over the cached and the new tokens.
 *
 * <p>B batch, H query heads, Hk key/value heads, T new tokens, S tokens in the cache after this call, D head width.
 */
final class Attention extends Module {
    private final Linear q;
    private final Linear k;
    private final Linear v;
    private final Linear o;
    private final Optional<RmsNorm> queryNorm;
    private final Optional<RmsNorm> keyNorm;
    private final ModelConfig.Attention how;
    private final double scale;
    private final int layer;

    Attention(ModuleWeights weights, ModelConfig config, int layer) {
        super("Attention");
        this.how = config.attention();
        this.layer = layer;
        this.scale = config.attentionScale(layer);
        this.q = new Linear(weights.in("q_proj"), how.inputBias());
        this.k = new Linear(weights.in("k_proj"), how.inputBias());
        this.v = new Linear(weights.in("v_proj"), how.inputBias());
        this.o = new Linear(weights.in("o_proj"), how.outputBias());
        this.queryNorm = how.normed() ? Optional.of(new RmsNorm(weights.in("q_norm"), config)) : Optional.empty();
        this.keyNorm = how.normed() ? Optional.of(new RmsNorm(weights.in("k_norm"), config)) : Optional.empty();
        register_module("q_proj", q);
        register_module("k_proj", k);
        register_module("v_proj", v);
        register_module("o_proj", o);
        queryNorm.ifPresent(norm -> register_module("q_norm", norm));
        keyNorm.ifPresent(norm -> register_module("k_norm", norm));
    }

    /**
     * @param x [B, T, E]
     * @param cosine of the rotation angles of the new tokens' columns, [T, D]; {@code sine} likewise
     * @param cache receives the keys and values of the new tokens
     * @return [B, T, E]
     */
    Tensor forward(Tensor x, Tensor cosine, Tensor sine, KvCache cache, AttentionMask mask) {
        Tensor queries = normed(queryNorm, heads(q.forward(x), how.heads())); // [B, H, T, D]
        Tensor keys = normed(keyNorm, heads(k.forward(x), how.keyHeads())); // [B, Hk, T, D]
        Tensor values = heads(v.forward(x), how.keyHeads());
        KvCache.KeyValue seen = cache.append(layer, turned(keys, cosine, sine), values); // [B, Hk, S, D]
        Tensor y = torch.scaled_dot_product_attention(
                turned(queries, cosine, sine),
                each(seen.key()),
                each(seen.value()),
                mask.allowed(),
                0,
                mask.causal(),
                new DoubleOptional(scale),
                false); // [B, H, T, D]
        return o.forward(y.transpose(1, 2).reshape(x.size(0), x.size(1), how.queryColumns()));
    }

    private static Tensor normed(Optional<RmsNorm> norm, Tensor x) {
        return norm.map(n -> n.forward(x)).orElse(x);
    }

    private static Tensor heads(Tensor x, int count) {
        return x.view(x.size(0), x.size(1), count, x.size(2) / count).transpose(1, 2);
    }

    /** Repeats each key/value head for its query heads: [B, Hk, S, D] to [B, H, S, D]. */
    private Tensor each(Tensor x) {
        long group = how.heads() / how.keyHeads();
        return x.unsqueeze(2)
                .expand(x.size(0), x.size(1), group, x.size(2), x.size(3))
                .reshape(x.size(0), how.heads(), x.size(2), x.size(3));
    }

    /** Columns i and i + D/2 are a point in the plane, rotated by the angle of the position and i (Su et al. 2021, arXiv:2104.09864). */
    private static Tensor turned(Tensor x, Tensor cosine, Tensor sine) {
        long half = x.size(3) / 2;
        Tensor across = torch.cat(new TensorVector(x.narrow(3, half, half).neg(), x.narrow(3, 0, half)), 3);
        return x.mul(cosine).add(across.mul(sine));
    }
}
