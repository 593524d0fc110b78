package dev.prefix4j.model;

import java.util.ArrayList;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch;
import org.jspecify.annotations.Nullable;

/**
 * Keys and values of the tokens that a model has seen, layer by layer, which a new token attends to.
 *
 * <p>A cache may start non-empty: a trained prefix is just its first P entries. The model itself knows nothing
 * about prefixes.
 *
 * <p>B batch, H key/value heads, S tokens so far, D head width.
 */
public sealed interface KvCache {
    /**
     * The entries of one layer.
     *
     * @param key [B, H, S, D]; a batch size of 1 stands for every row
     * @param value as {@code key}
     */
    record KeyValue(Tensor key, Tensor value) {}

    /** Tokens held, S. The next token has this position. */
    int length();

    /**
     * Adds new tokens to one layer; the same number to all layers of a step.
     *
     * @param key [B, H, T, D]
     * @param value [B, H, T, D]
     * @return all entries of the layer, new ones last
     */
    KeyValue append(int layer, Tensor key, Tensor value);

    /** An empty cache through which gradients flow. */
    static KvCache empty(int layers) {
        List<@Nullable KeyValue> none = new ArrayList<>();
        for (int i = 0; i < layers; i++) {
            none.add(null);
        }
        return new Growing(none);
    }

    /**
     * A cache that starts with given entries; gradients flow to them.
     *
     * @param start for each layer; a batch size of 1 serves any batch
     */
    static KvCache startingWith(List<KeyValue> start) {
        return new Growing(new ArrayList<>(start));
    }

    /** Concatenates tensors, so that autograd works: for training, or for a single pass. */
    final class Growing implements KvCache {
        private final List<@Nullable KeyValue> layers; // null: empty

        private Growing(List<@Nullable KeyValue> layers) {
            this.layers = layers;
        }

        @Override
        public int length() {
            KeyValue first = layers.getFirst();
            return first == null ? 0 : (int) first.key().size(2);
        }

        @Override
        public KeyValue append(int layer, Tensor key, Tensor value) {
            KeyValue past = layers.get(layer);
            KeyValue all = past == null
                    ? new KeyValue(key, value)
                    : new KeyValue(join(past.key(), key), join(past.value(), value));
            layers.set(layer, all);
            return all;
        }

        /** The entries of a layer so far. */
        public KeyValue layer(int layer) {
            return layers.get(layer);
        }

        private static Tensor join(Tensor past, Tensor fresh) {
            Tensor rows = past.size(0) == fresh.size(0)
                    ? past
                    : past.expand(fresh.size(0), past.size(1), past.size(2), past.size(3));
            return torch.cat(new TensorVector(rows, fresh), 2); // [B, H, S+T, D]
        }
    }
}
