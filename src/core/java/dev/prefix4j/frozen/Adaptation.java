package dev.prefix4j.frozen;

import dev.prefix4j.model.Extension;
import dev.prefix4j.model.ModelConfig;
import org.bytedeco.pytorch.Tensor;

/**
 * What sequences see besides their tokens, and what is put into the blocks for them.
 *
 * @param extension its tensors must stay open and unchanged while it is used
 */
public record Adaptation(SoftPrompt prompt, Extension extension) {
    /** Only a soft prompt. */
    public static Adaptation of(SoftPrompt prompt) {
        return new Adaptation(prompt, Extension.NONE);
    }

    /** Only an extension. */
    public static Adaptation of(Extension extension, ModelConfig config) {
        return new Adaptation(
                SoftPrompt.none(config, extension.tensors().getFirst().options()), extension);
    }

    /**
     * The gradient of the weighted losses with respect to an adaptation.
     *
     * @param activations [P, 2·L·W]
     * @param embeddings of the virtual tokens, [K, E]
     * @param extension with the shapes of the adaptation's
     */
    public record Gradient(Tensor activations, Tensor embeddings, Extension extension) {}
}
