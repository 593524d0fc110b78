package dev.prefix4j.frozen;

import dev.prefix4j.kernels.KeysValues;
import java.util.Objects;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/** Keys and values of T tokens in all layers; rows attend to parts of them ({@link Segment}). */
final class Stored {
    private final Tensor memory;
    private final @Nullable Tensor gradient;
    private @Nullable KeysValues kernels; // null: not needed yet

    /** @param memory float32 [L, 2, T, W] contiguous */
    Stored(Tensor memory) {
        this(memory, null);
    }

    /** @param gradient in the layout of memory, is added to; null: not wanted */
    Stored(Tensor memory, @Nullable Tensor gradient) {
        this.memory = memory;
        this.gradient = gradient;
    }

    /** Converts PEFT's layout, [T, 2·L·W], to that of {@link #memory}. */
    static Tensor fromVectors(Tensor vectors, KvLayout layout) {
        return vectors.reshape(vectors.size(0), layout.layers(), 2, layout.columns())
                .permute(1, 2, 0, 3)
                .contiguous();
    }

    /** Converts the layout of {@link #memory} to PEFT's, [T, 2·L·W]. */
    static Tensor toVectors(Tensor memory) {
        return memory.permute(2, 0, 1, 3).reshape(memory.size(2), memory.size(0) * 2 * memory.size(3));
    }

    /** [L, 2, T, W]. */
    Tensor memory() {
        return memory;
    }

    /** In the layout of memory; null: not wanted. */
    @Nullable
    Tensor gradient() {
        return gradient;
    }

    /** T. */
    int length() {
        return (int) memory.size(2);
    }

    /** Keys of a layer, [T, W]. */
    Tensor keys(int layer) {
        return part(memory, layer, 0);
    }

    /** Values of a layer, [T, W]. */
    Tensor values(int layer) {
        return part(memory, layer, 1);
    }

    /** Gradient of the keys of a layer, [T, W]. */
    Tensor dKeys(int layer) {
        return part(Objects.requireNonNull(gradient, "a gradient is wanted"), layer, 0);
    }

    /** Gradient of the values of a layer, [T, W]. */
    Tensor dValues(int layer) {
        return part(Objects.requireNonNull(gradient, "a gradient is wanted"), layer, 1);
    }

    private static Tensor part(Tensor of, int layer, int which) {
        return of.select(0, layer).select(0, which);
    }

    /** In the form that our kernels take; on the CPU. */
    KeysValues kernels() {
        KeysValues made = kernels;
        if (made == null) {
            KeysValues plain = KeysValues.layers(memory);
            made = gradient == null ? plain : plain.withGradient(gradient);
            kernels = made;
        }
        return made;
    }

    /** Writes keys and values [n, W] of a layer to the places index, int64 [n]. */
    void write(int layer, Tensor index, Tensor k, Tensor v) {
        keys(layer).index_copy_(0, index, k);
        values(layer).index_copy_(0, index, v);
    }
}
