package dev.prefix4j.prefix;

import dev.prefix4j.InputException;
import dev.prefix4j.model.KvCache.KeyValue;
import dev.prefix4j.model.ModelConfig;
import dev.prefix4j.torch.TensorScope;
import java.util.List;
import org.bytedeco.pytorch.Device;
import org.bytedeco.pytorch.NoGradGuard;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;

/**
 * A trained prefix: only the vectors, without their encoder.
 *
 * <p>It owns its tensor; {@link #close} frees it.
 */
public final class Prefix implements AutoCloseable {
    private final PrefixShape shape;
    private final Tensor vectors; // [P, 2·L·W], float32

    /**
     * @param vectors [P, 2·L·W], copied to float32
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

    /** The current prefix of an encoder. */
    public static Prefix of(PrefixEncoder encoder, PrefixShape shape, Device device) {
        try (TensorScope scope = new TensorScope();
                NoGradGuard _ = new NoGradGuard()) {
            Prefix prefix = new Prefix(shape, encoder.forward(), device);
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

    /** [P, 2·L·W], float32. */
    public Tensor vectors() {
        return vectors;
    }

    /** The initial entries of a cache: for each layer keys and values [1, H, P, D], views of {@link #vectors}. */
    public List<KeyValue> entries() {
        return shape.split(vectors);
    }

    /**
     * Checks that this prefix was made for a model of this geometry.
     *
     * @param name of the prefix, for the message
     * @throws InputException if not
     */
    public void requireFits(ModelConfig config, String name) {
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
