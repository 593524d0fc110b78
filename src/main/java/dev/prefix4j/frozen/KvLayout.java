package dev.prefix4j.frozen;

import dev.prefix4j.gpt2.Gpt2Config;

/**
 * How a model lays out keys and values.
 *
 * @param layers L
 * @param heads of keys
 * @param width of a head
 */
public record KvLayout(int layers, int heads, int width) {
    static KvLayout of(Gpt2Config config) {
        return new KvLayout(config.layers(), config.heads(), config.width() / config.heads());
    }

    /** Columns of the keys of a layer, W. */
    public int columns() {
        return heads * width;
    }
}
