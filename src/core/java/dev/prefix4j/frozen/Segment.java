package dev.prefix4j.frozen;

import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * A part of stored keys and values that a row attends to.
 *
 * @param first its first token in the store
 * @param from the first of the row's own tokens that sees it
 * @param firstLayer first layer that sees it, from 0
 * @param lastLayer last layer that sees it
 * @param turn rotation of the queries that attend to it, [R], if its keys are used at other positions than stored; null: none
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

    /** A part of it, in place. */
    Segment part(int first, int length) {
        return new Segment(keys, first, length, from, firstLayer, lastLayer, turn);
    }
}
