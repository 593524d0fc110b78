package dev.prefix4j.prefix;

import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;

/** The gradient of a parameter. */
public sealed interface Gradient {
    /** @param values in the parameter's shape */
    record Dense(Tensor values) implements Gradient {
        @Override
        public Tensor dense() {
            return values;
        }

        @Override
        public double norm() {
            return torch.norm(values).item_double();
        }

        @Override
        public Gradient scaled(double factor) {
            return new Dense(values.mul(new Scalar(factor)));
        }
    }

    /**
     * The gradient {@code leftᵀ right} of a matrix [M, K], from P rows. The full matrix is never formed.
     *
     * @param left [P, M]
     * @param right [P, K]
     */
    record Product(Tensor left, Tensor right) implements Gradient {
        @Override
        public Tensor dense() {
            return torch.mm(left.t(), right);
        }

        /** {@code ‖LᵀR‖² = Σ (L Lᵀ) ∘ (R Rᵀ)}, from P×P matrices. */
        @Override
        public double norm() {
            Tensor l = left.to(torch.ScalarType.Double);
            Tensor r = right.to(torch.ScalarType.Double);
            return Math.sqrt(Math.max(
                    0, torch.sum(torch.mm(l, l.t()).mul_(torch.mm(r, r.t()))).item_double()));
        }

        @Override
        public Gradient scaled(double factor) {
            return new Product(left.mul(new Scalar(factor)), right);
        }
    }

    /** The full gradient, in the parameter's shape. */
    Tensor dense();

    /** Euclidean. */
    double norm();

    /** Multiplied by a factor. */
    Gradient scaled(double factor);
}
