package dev.prefix4j.model;

import java.util.List;
import org.bytedeco.pytorch.Tensor;

/**
 * The weights of a block by role.
 *
 * @param names of the modules
 * @param attentionInputs maps whose outputs, side by side, are queries, keys and values
 * @param queryNorm gain of the heads of queries, [D]; null: they are not normalized
 * @param keyNorm gain of the heads of keys, [D]; null: they are not normalized
 * @param mlpInputs maps whose outputs, side by side, the activation takes: one, or gates and what they let through
 */
public record BlockWeights(
        Family.Block names,
        NormWeights attentionNorm,
        List<Affine> attentionInputs,
        Tensor queryNorm,
        Tensor keyNorm,
        Affine attentionOutput,
        NormWeights mlpNorm,
        List<Affine> mlpInputs,
        Affine mlpOutput) {
    /**
     * Of a normalization.
     *
     * @param weight gain, [E]
     * @param bias [E]; null: none
     */
    public record NormWeights(Tensor weight, Tensor bias) {}
}
