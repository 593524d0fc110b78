package dev.prefix4j.model;

import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * The weights of a block by role.
 *
 * @param names of the modules
 * @param attentionInputs maps whose concatenated outputs are queries, keys and values
 * @param queryNorm gain of the query normalization, [D]; null: queries are not normalized
 * @param keyNorm gain of the key normalization, [D]; null: keys are not normalized
 * @param mlpInputs maps whose concatenated outputs enter the activation: one, or gate and up
 */
public record BlockWeights(
        Family.Block names,
        NormWeights attentionNorm,
        List<Affine> attentionInputs,
        @Nullable Tensor queryNorm,
        @Nullable Tensor keyNorm,
        Affine attentionOutput,
        NormWeights mlpNorm,
        List<Affine> mlpInputs,
        Affine mlpOutput) {
    /**
     * The weights of a normalization.
     *
     * @param weight gain, [E]
     * @param bias [E]; null: none
     */
    public record NormWeights(Tensor weight, @Nullable Tensor bias) {}
}
