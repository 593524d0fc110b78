package dev.prefix4j.model;

import dev.prefix4j.model.BlockWeights.NormWeights;
import dev.prefix4j.model.KvCache.KeyValue;
import java.util.List;
import java.util.stream.LongStream;
import org.bytedeco.pytorch.DoubleOptional;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.ScalarTypeOptional;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptional;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch;
import org.jspecify.annotations.Nullable;

/**
 * A model in libtorch operators with autograd, for gradients of weights and of an {@link Extension}. If
 * only a prefix needs a gradient, the frozen engine is faster.
 *
 * <p>B batch, T new tokens, S tokens in the cache after a call, E width, H heads, D head width, V vocabulary.
 */
public final class AutogradModel {
    private final BaseModel model;
    private final ModelConfig config;
    private final Extension extension;
    private final Watcher watcher;

    /** Sees what attention compares go by. */
    @FunctionalInterface
    public interface Watcher {
        /**
         * In a block.
         *
         * @param queries [B, H, T, D]
         * @param keys of all that is seen, [B, Hk, S, D]
         */
        void attention(int layer, Tensor queries, Tensor keys);
    }

    /** A model without extension. */
    public AutogradModel(BaseModel model) {
        this(model, Extension.NONE);
    }

    /** @param extension added to the blocks */
    public AutogradModel(BaseModel model, Extension extension) {
        this(model, extension, (_, _, _) -> {});
    }

    /** @param watcher told of every block's attention */
    public AutogradModel(BaseModel model, Watcher watcher) {
        this(model, Extension.NONE, watcher);
    }

    private AutogradModel(BaseModel model, Extension extension, Watcher watcher) {
        this.model = model;
        this.config = model.config();
        this.extension = extension;
        this.watcher = watcher;
    }

    /** The model that it runs. */
    public BaseModel base() {
        return model;
    }

    /** As {@link #forwardEmbeddings}, for tokens, int64 [B, T]. */
    public Tensor forward(Tensor ids, KvCache cache) {
        return forwardEmbeddings(model.words(ids), cache);
    }

    /** For tokens without a past, int64 [B, T]. */
    public Tensor forward(Tensor ids) {
        return forward(ids, KvCache.empty(config.layers()));
    }

    /**
     * Runs the model on embeddings that continue the cached tokens: they take the positions after them, and attend to them and to each
     * other causally. Rows of different lengths are padded on the right: no token sees later ones.
     *
     * @param embeddings [B, T, E], without positions
     * @param cache receives the new tokens' keys and values
     * @return hidden states after the final normalization, [B, T, E]; {@link #logits} turns them into predictions
     * @throws dev.prefix4j.InputException if the model has too few positions; checked first
     */
    public Tensor forwardEmbeddings(Tensor embeddings, KvCache cache) {
        int past = cache.length();
        int fresh = (int) embeddings.size(1);
        model.requireRoom(past, fresh, 0);
        long[] positions = LongStream.range(past, past + fresh).toArray();
        Tensor h = embeddings;
        Tensor turns = null; // [T, R]
        if (config.attention().rotary().isPresent()) {
            turns = config.attention().rotary().get().turns(positions).to(model.device(), torch.ScalarType.Float);
        } else {
            h = h.add(model.positions(model.ids(positions)));
        }
        AttentionMask mask = AttentionMask.causal(past, fresh, model.options(torch.ScalarType.Bool));
        for (int layer = 0; layer < config.layers(); layer++) {
            BlockWeights block = model.block(layer);
            Tensor x = normalize(h, block.attentionNorm());
            h = h.add(behind(block.names().attention(), attention(block, layer, x, cache, mask, turns)));
            h = h.add(behind(block.names().mlp(), mlp(block, normalize(h, block.mlpNorm()))));
        }
        return normalize(h, model.norm());
    }

    /** Logits of every next token: [..., E] to [..., V]. */
    public Tensor logits(Tensor hidden) {
        return hidden.matmul(model.head().to(torch.ScalarType.Float).t());
    }

    private Tensor normalize(Tensor x, NormWeights weights) {
        return switch (config.norm().kind()) {
            case LAYER ->
                torch.layer_norm(
                        x,
                        new long[] {weights.weight().size(0)},
                        new TensorOptional(weights.weight()),
                        new TensorOptional(weights.bias()),
                        config.norm().epsilon(),
                        false);
            case RMS -> rms(x, weights.weight());
        };
    }

    private Tensor rms(Tensor x, Tensor weight) {
        Tensor square = torch.mean(x.mul(x), new long[] {-1}, true, new ScalarTypeOptional());
        return x.mul(torch.rsqrt(square.add(new Scalar(config.norm().epsilon()))))
                .mul(weight);
    }

    /** [n, in] to [n, sum of the outputs]. */
    private Tensor affine(List<Affine> maps, Tensor x) {
        Tensor[] parts = maps.stream().map(map -> extended(map, x)).toArray(Tensor[]::new);
        return parts.length == 1 ? parts[0] : torch.cat(new TensorVector(parts), 1);
    }

    private Tensor affine(Affine map, Tensor x) {
        return affine(List.of(map), x);
    }

    private Tensor extended(Affine map, Tensor x) {
        Tensor y = map.of(x);
        Extension.LowRank change = extension.maps().get(map.name());
        return change == null ? y : y.add(change.of(x));
    }

    /** What comes out of a half of a block, with the network behind it. */
    private Tensor behind(String half, Tensor y) {
        Extension.Bottleneck network = extension.halves().get(half);
        return network == null ? y : network.of(y);
    }

    /**
     * @param x [B, T, E]
     * @param turns rotations, [T, R]; null: none
     * @return [B, T, E]
     */
    private Tensor attention(
            BlockWeights block, int layer, Tensor x, KvCache cache, AttentionMask mask, @Nullable Tensor turns) {
        ModelConfig.Attention how = config.attention();
        long batch = x.size(0);
        long fresh = x.size(1);
        Tensor all = affine(block.attentionInputs(), x.view(-1, x.size(2))); // [B·T, (H + 2 Hk)·D]
        Tensor q = heads(all, 0, how.heads(), batch);
        Tensor k = heads(all, how.queryColumns(), how.keyHeads(), batch);
        Tensor v = heads(all, how.queryColumns() + how.keyColumns(), how.keyHeads(), batch);
        Tensor queryNorm = block.queryNorm();
        Tensor keyNorm = block.keyNorm();
        if (queryNorm != null && keyNorm != null) {
            q = rms(q, queryNorm);
            k = rms(k, keyNorm);
        }
        if (turns != null) {
            q = turned(q, turns);
            k = turned(k, turns);
        }
        KeyValue seen = cache.append(layer, k, v); // [B, Hk, S, D]
        watcher.attention(layer, q, seen.key());
        Tensor y = torch.scaled_dot_product_attention(
                q,
                seen.key(),
                seen.value(),
                mask.allowed(),
                0,
                mask.causal(),
                new DoubleOptional(config.attentionScale(layer)),
                how.heads() != how.keyHeads()); // [B, H, T, D]
        Tensor rows = y.transpose(1, 2).reshape(batch * fresh, how.queryColumns());
        return affine(block.attentionOutput(), rows).view(batch, fresh, config.width());
    }

    /** Columns of [B·T, ...] as heads: [B, heads, T, D]. */
    private Tensor heads(Tensor all, long first, int heads, long batch) {
        long width = config.headWidth();
        return all.narrow(1, first, heads * width)
                .view(batch, all.size(0) / batch, heads, width)
                .transpose(1, 2);
    }

    /** x [B, heads, T, D], rotated by turns [T, R]. */
    private static Tensor turned(Tensor x, Tensor turns) {
        long half = turns.size(1) / 2;
        Tensor cos = turns.narrow(1, 0, half); // [T, R/2]
        Tensor sin = turns.narrow(1, half, half);
        Tensor a = x.narrow(3, 0, half);
        Tensor b = x.narrow(3, half, half);
        Tensor first = a.mul(cos).sub(b.mul(sin));
        Tensor second = b.mul(cos).add(a.mul(sin));
        long rest = x.size(3) - 2 * half;
        return rest == 0
                ? torch.cat(new TensorVector(first, second), 3)
                : torch.cat(new TensorVector(first, second, x.narrow(3, 2 * half, rest)), 3);
    }

    /** [B, T, E] to [B, T, E]. */
    private Tensor mlp(BlockWeights block, Tensor x) {
        ModelConfig.Mlp how = config.mlp();
        Tensor all = affine(block.mlpInputs(), x.view(-1, x.size(2)));
        Tensor inner = how.gated()
                ? how.activation().of(all.narrow(1, 0, how.width())).mul(all.narrow(1, how.width(), how.width()))
                : how.activation().of(all);
        return affine(block.mlpOutput(), inner).view(x.size(0), x.size(1), x.size(2));
    }
}
