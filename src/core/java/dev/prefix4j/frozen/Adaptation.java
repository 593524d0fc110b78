package dev.prefix4j.frozen;

import dev.prefix4j.model.Extension;
import dev.prefix4j.model.ModelConfig;
import org.bytedeco.pytorch.Tensor;

/**
 * What sequences see besides words, and what is put into the blocks for them.
 *
 * @param extension its tensors must stay open and as they are while it is used
 */
public record Adaptation(SoftPrompt prompt, Extension extension) {
    /** A soft prompt alone. */
    public static Adaptation of(SoftPrompt prompt) {
        return new Adaptation(prompt, Extension.NONE);
    }

    /** Something in the blocks alone. */
    public static Adaptation of(Extension extension, ModelConfig config) {
        return new Adaptation(
                SoftPrompt.none(config, extension.tensors().getFirst().options()), extension);
    }

    /**
     * The gradient of weighted losses with respect to it.
     *
     * @param activations [P, 2·L·W]
     * @param embeddings of virtual tokens, [K, E]
     * @param extension of the same shapes as the extension itself
     */
    public record Gradient(Tensor activations, Tensor embeddings, Extension extension) {}
}
