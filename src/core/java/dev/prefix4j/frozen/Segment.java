package dev.prefix4j.frozen;

import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * A part of stored keys and values that a row looks at.
 *
 * @param first token of it
 * @param from position among the row's own tokens of the first one that sees it
 * @param firstLayer first layer that sees it, from 0
 * @param lastLayer last layer that sees it
 * @param turn rotation of the queries that look at it, [R], where it is not seen from where its keys stand; null: none
 */
record Segment(
        Stored keys,
        int first,
        int length,
        int from,
        int firstLayer,
        int lastLayer,
        @Nullable Tensor turn) {
    boolean inLayer(int layer) {
        return layer >= firstLayer && layer <= lastLayer;
    }

    /** Some of it, where it lies. */
    Segment part(int first, int length) {
        return new Segment(keys, first, length, from, firstLayer, lastLayer, turn);
    }
}
