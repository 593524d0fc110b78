package dev.prefix4j.method;

import dev.prefix4j.InputException;
import dev.prefix4j.frozen.SoftPrompt;
import dev.prefix4j.model.ModelConfig;

/**
 * Like {@link PrefixTuning}, but only in some layers. Ours, between what Li and Liang 2021 compare in section 7.2: only the embedding, and
 * all layers.
 *
 * @param firstLayer from 0
 * @param lastLayer included
 */
public record LayerTuning(Vectors vectors, int firstLayer, int lastLayer) implements ActivationMethod {
    public LayerTuning {
        InputException.requireAtLeast("layers", firstLayer, 0);
        InputException.requireAtLeast("last of the layers", lastLayer, firstLayer);
    }

    @Override
    public String name() {
        return "layers";
    }

    @Override
    public Activations activations(ModelConfig config) {
        return new Activations(vectors, SoftPrompt.Place.PREFIX, firstLayer, lastLayer, config);
    }
}
