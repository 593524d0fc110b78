package dev.prefix4j.method;

import dev.prefix4j.frozen.SoftPrompt;
import dev.prefix4j.model.ModelConfig;

/**
 * Keys and values of virtual tokens between source and target, in all layers: the source does not see them (Li and Liang 2021,
 * section 7.3).
 */
public record InfixTuning(Vectors vectors) implements ActivationMethod {
    @Override
    public String name() {
        return "infix";
    }

    @Override
    public Activations activations(ModelConfig config) {
        return new Activations(vectors, SoftPrompt.Place.INFIX, 0, config.layers() - 1, config);
    }
}
