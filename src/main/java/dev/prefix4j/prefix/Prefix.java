package dev.prefix4j.prefix;

import dev.prefix4j.InputException;
import dev.prefix4j.gpt2.Gpt2;
import dev.prefix4j.gpt2.Gpt2Config;
import dev.prefix4j.gpt2.KvCache;
import dev.prefix4j.gpt2.KvCache.KeyValue;
import dev.prefix4j.torch.TensorScope;
import java.util.List;
import org.bytedeco.pytorch.Device;
import org.bytedeco.pytorch.NoGradGuard;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;

/**
 * A prefix to use: the vectors alone, without what trained them.
 *
 * <p>It owns its tensor; {@link #close} frees it.
 */
public final class Prefix implements AutoCloseable {
    private final PrefixShape shape;
    private final Tensor vectors; // [P, 2·L·E], float32

    /**
     * @param vectors [P, 2·L·E], copied to float32
     * @param device where to keep them
     */
    public Prefix(PrefixShape shape, Tensor vectors, Device device) {
        if (vectors.dim() != 2 || vectors.size(0) != shape.length() || vectors.size(1) != shape.rowWidth()) {
            throw new InputException("prefix: expected vectors [%d, %d], found %s"
                    .formatted(shape.length(), shape.rowWidth(), vectors.sizes()));
        }
        this.shape = shape;
        try (TensorScope scope = new TensorScope()) {
            Tensor copy = vectors.detach().to(device, torch.ScalarType.Float, false, true, null);
            this.vectors = scope.keep(copy);
        }
    }

    /** The prefix that an encoder gives now. */
    public static Prefix of(PrefixEncoder encoder, PrefixShape shape, Device device) {
        try (TensorScope scope = new TensorScope();
                NoGradGuard _ = new NoGradGuard()) {
            Prefix prefix = new Prefix(shape, encoder.forward(), device);
            scope.keep(prefix.vectors);
            return prefix;
        }
    }

    /**
     * The keys and values that a model computes for some tokens (Li and Liang 2021, section 7.4, "initialization with
     * real words"). Fewer tokens than the prefix is long are repeated, more are cut off.
     *
     * @param ids of the words, at least one
     * @throws InputException if there are none, or the model has fewer positions than the prefix is long
     */
    public static Prefix ofWords(Gpt2 model, int[] ids, int length) {
        if (ids.length == 0) {
            throw new InputException("init words: expected at least one token, found none");
        }
        PrefixShape shape = PrefixShape.of(length, model.config());
        model.requireRoom(0, length, 0);
        long[] tokens = new long[length];
        for (int i = 0; i < length; i++) {
            tokens[i] = ids[i % ids.length];
        }
        try (TensorScope scope = new TensorScope();
                NoGradGuard _ = new NoGradGuard()) {
            KvCache.Growing cache = (KvCache.Growing) KvCache.empty(shape.layers());
            model.forward(model.ids(tokens, 1), cache);
            List<KeyValue> entries =
                    java.util.stream.IntStream.range(0, shape.layers()).mapToObj(cache::layer).toList();
            Prefix prefix = new Prefix(shape, shape.join(entries), model.device());
            scope.keep(prefix.vectors);
            return prefix;
        }
    }

    public PrefixShape shape() {
        return shape;
    }

    /** Virtual tokens, P. */
    public int length() {
        return shape.length();
    }

    /** [P, 2·L·E], float32. */
    public Tensor vectors() {
        return vectors;
    }

    /** What a cache starts with: for each layer keys and values [1, H, P, D], views of {@link #vectors}. */
    public List<KeyValue> entries() {
        return shape.split(vectors);
    }

    /**
     * Checks that this prefix was made for a model of this geometry.
     *
     * @param name of the prefix, for the message
     * @throws InputException if not
     */
    public void requireFits(Gpt2Config config, String name) {
        PrefixShape expected = PrefixShape.of(shape.length(), config);
        if (!shape.equals(expected)) {
            throw new InputException(("%s: a prefix of another model: expected %d layers, %d heads and width %d,"
                            + " found %d layers, %d heads and width %d")
                    .formatted(
                            name,
                            expected.layers(),
                            expected.heads(),
                            expected.width(),
                            shape.layers(),
                            shape.heads(),
                            shape.width()));
        }
    }

    @Override
    public void close() {
        vectors.close();
    }
}
