package dev.prefix4j.bench;

import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;

/** What is compared must be the same. */
final class Agreement {
    private Agreement() {}

    /**
     * @param tolerance of the relative error
     * @throws IllegalStateException if the tensors are further apart
     */
    static void require(String what, Tensor one, Tensor other, double tolerance) {
        double error =
                torch.norm(one.sub(other)).item_double() / torch.norm(other).item_double();
        if (!(error <= tolerance)) {
            throw new IllegalStateException(
                    "%s: expected a relative difference of at most %s, found %s".formatted(what, tolerance, error));
        }
    }
}
