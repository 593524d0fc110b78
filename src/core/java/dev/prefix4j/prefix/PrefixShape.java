package dev.prefix4j.prefix;

import dev.prefix4j.InputException;
import dev.prefix4j.model.KvCache.KeyValue;
import dev.prefix4j.model.ModelConfig;
import java.util.ArrayList;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch;

/**
 * The shape of a prefix, and the layout of its rows: layer by layer, keys before values, head by
 * head. That is the order of Hugging Face PEFT's {@code prompt_embeddings}.
 *
 * @param length virtual tokens, P
 * @param layers L
 * @param heads key/value heads, H
 * @param headWidth D
 */
public record PrefixShape(int length, int layers, int heads, int headWidth) {
    public PrefixShape {
        if (length < 1) {
            throw new InputException("prefix.length must be at least 1, was " + length);
        }
    }

    /** The shape of a prefix for a model. */
    public static PrefixShape of(int length, ModelConfig config) {
        return new PrefixShape(length, config.layers(), config.keyHeads(), config.headWidth());
    }

    /** Columns of the keys of a layer, W = H·D. */
    public int width() {
        return heads * headWidth;
    }

    /** Elements in a row: 2·L·W. */
    public int rowWidth() {
        return 2 * layers * width();
    }

    /**
     * The initial entries of a cache.
     *
     * @param vectors [P, 2·L·W]
     * @return for each layer keys and values [1, H, P, D], views that gradients flow through
     */
    public List<KeyValue> split(Tensor vectors) {
        Tensor parts = vectors.view(length, 2L * layers, heads, headWidth).permute(1, 2, 0, 3); // [2·L, H, P, D]
        List<KeyValue> result = new ArrayList<>();
        for (int i = 0; i < layers; i++) {
            result.add(new KeyValue(parts.narrow(0, 2L * i, 1), parts.narrow(0, 2L * i + 1, 1)));
        }
        return result;
    }

    /** The inverse of {@link #split}: from L times [1, H, P, D] to [P, 2·L·W]. */
    public Tensor join(List<KeyValue> entries) {
        TensorVector parts = new TensorVector();
        for (KeyValue entry : entries) {
            parts.push_back(entry.key());
            parts.push_back(entry.value());
        }
        return torch.cat(parts, 0).permute(2, 0, 1, 3).reshape(length, rowWidth()); // [2·L, H, P, D] before
    }
}
