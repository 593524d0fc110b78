package dev.prefix4j.frozen;

/**
 * A part of stored keys and values that a row looks at.
 *
 * @param first token of it
 * @param from position among the row's own tokens of the first one that sees it
 * @param firstLayer first layer that sees it, from 0
 * @param lastLayer last layer that sees it
 */
record Segment(Stored keys, int first, int length, int from, int firstLayer, int lastLayer) {
    boolean inLayer(int layer) {
        return layer >= firstLayer && layer <= lastLayer;
    }
}
