package dev.prefix4j.model;

import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptional;
import org.bytedeco.pytorch.TensorOptions;
import org.bytedeco.pytorch.global.torch;

/**
 * What new tokens may attend to.
 *
 * @param allowed bool [T, S], true where allowed; absent: everywhere, or as given by {@code causal}
 * @param causal each token attends to itself and earlier tokens, in a sequence without a past; needs no mask tensor
 */
public record AttentionMask(TensorOptional allowed, boolean causal) {
    /** Everywhere. */
    public static AttentionMask everywhere() {
        return new AttentionMask(new TensorOptional(), false);
    }

    /** Causally, in a sequence without a past. */
    public static AttentionMask past() {
        return new AttentionMask(new TensorOptional(), true);
    }

    /** Where a mask allows it. */
    public static AttentionMask only(Tensor allowed) {
        return new AttentionMask(new TensorOptional(allowed), false);
    }

    /**
     * The mask of new tokens that see each other causally.
     *
     * @param past tokens before them
     * @param options of the mask tensor
     */
    public static AttentionMask causal(int past, int fresh, TensorOptions options) {
        if (fresh == 1) {
            return everywhere();
        }
        // true where new token t may attend to token s of the past and new ones, [T, past + T]
        return past == 0 ? past() : only(torch.tril(torch.ones(new long[] {fresh, past + fresh}, options), past));
    }
}
