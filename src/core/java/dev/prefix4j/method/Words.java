package dev.prefix4j.method;

import dev.prefix4j.frozen.FrozenModel;
import dev.prefix4j.frozen.PromptReading;
import org.bytedeco.pytorch.Tensor;

/** What a model computes for words. L layers, E width, W columns of keys. */
final class Words {
    private Words() {}

    /** The keys and values of embeddings [N, E] at the first positions, [N, 2·L·W]; they belong to the open scope. */
    static Tensor activations(FrozenModel model, Tensor embeddings) {
        try (PromptReading reading = model.read(embeddings)) {
            return reading.activations().clone();
        }
    }
}
