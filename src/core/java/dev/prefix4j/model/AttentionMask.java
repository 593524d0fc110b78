package dev.prefix4j.model;

import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptional;
import org.bytedeco.pytorch.TensorOptions;
import org.bytedeco.pytorch.global.torch;

/**
 * Where new tokens may look.
 *
 * @param allowed bool [T, S], true where they may; absent: everywhere, or by {@code causal}
 * @param causal at themselves and what is before, in a sequence without a past: no mask is made then
 */
public record AttentionMask(TensorOptional allowed, boolean causal) {
    /** Everywhere. */
    public static AttentionMask everywhere() {
        return new AttentionMask(new TensorOptional(), false);
    }

    /** At the past, in a sequence that has none before it. */
    public static AttentionMask past() {
        return new AttentionMask(new TensorOptional(), true);
    }

    /** Where a mask says so. */
    public static AttentionMask only(Tensor allowed) {
        return new AttentionMask(new TensorOptional(allowed), false);
    }

    /**
     * That of new tokens which see each other causally.
     *
     * @param past tokens before them
     * @param options of the mask
     */
    public static AttentionMask causal(int past, int fresh, TensorOptions options) {
        if (fresh == 1) {
            return everywhere();
        }
        // true where new token t may look at token s of past and new ones, [T, past + T]
        return past == 0 ? past() : only(torch.tril(torch.ones(new long[] {fresh, past + fresh}, options), past));
    }
}
