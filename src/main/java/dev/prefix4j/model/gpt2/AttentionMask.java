package dev.prefix4j.model.gpt2;

import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptional;

/**
 * Where new tokens may look.
 *
 * @param allowed bool [T, S], true where they may; absent: everywhere, or by {@code causal}
 * @param causal at themselves and what is before, in a sequence without a past: no mask is made then
 */
record AttentionMask(TensorOptional allowed, boolean causal) {
    static AttentionMask everywhere() {
        return new AttentionMask(new TensorOptional(), false);
    }

    static AttentionMask past() {
        return new AttentionMask(new TensorOptional(), true);
    }

    static AttentionMask only(Tensor allowed) {
        return new AttentionMask(new TensorOptional(allowed), false);
    }
}
