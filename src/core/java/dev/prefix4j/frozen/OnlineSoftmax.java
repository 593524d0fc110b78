package dev.prefix4j.frozen;

import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.ScalarTypeOptional;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptions;
import org.bytedeco.pytorch.global.torch;

/**
 * A softmax over the words seen so far (Milakov and Gimelshein 2018, arXiv:1805.02867). n rows.
 *
 * @param targets int64 [n], the target word of each row
 * @param top [n], the largest logit
 * @param sum float64 [n], of {@code exp(logit - top)}
 * @param ofTarget [n], the target's logit once it has been seen
 */
record OnlineSoftmax(Tensor targets, Tensor top, Tensor sum, Tensor ofTarget) {
    /** The state before the first word. */
    static OnlineSoftmax of(Tensor targets) {
        long[] rows = {targets.size(0)};
        return new OnlineSoftmax(
                targets,
                torch.full(rows, new Scalar(Double.NEGATIVE_INFINITY), options(targets, torch.ScalarType.Float)),
                torch.zeros(rows, options(targets, torch.ScalarType.Double)),
                torch.zeros(rows, options(targets, torch.ScalarType.Float)));
    }

    private static TensorOptions options(Tensor beside, torch.ScalarType type) {
        return beside.options().dtype(new ScalarTypeOptional(type));
    }

    /** Cross-entropy of the targets in nats, float64 [n]. */
    Tensor losses() {
        return sum.log().add_(top).sub_(ofTarget);
    }
}
