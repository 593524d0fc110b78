package dev.prefix4j.method;

import dev.prefix4j.frozen.SoftPrompt;
import dev.prefix4j.model.ModelConfig;

/**
 * Keys and values of virtual tokens at the beginning, in all layers (Li and Liang 2021, section 4).
 */
public record PrefixTuning(Vectors vectors) implements ActivationMethod {
    @Override
    public String name() {
        return "prefix";
    }

    @Override
    public Activations activations(ModelConfig config) {
        return new Activations(vectors, SoftPrompt.Place.PREFIX, 0, config.layers() - 1, config);
    }
}
