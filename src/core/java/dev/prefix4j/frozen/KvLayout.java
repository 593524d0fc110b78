package dev.prefix4j.frozen;

import dev.prefix4j.model.ModelConfig;

/**
 * The layout of a model's keys and values.
 *
 * @param layers L
 * @param heads of keys
 * @param width of a head
 */
public record KvLayout(int layers, int heads, int width) {
    static KvLayout of(ModelConfig config) {
        return new KvLayout(config.layers(), config.keyHeads(), config.headWidth());
    }

    /** Columns of the keys of a layer, W. */
    public int columns() {
        return heads * width;
    }
}
