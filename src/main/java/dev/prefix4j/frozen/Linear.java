package dev.prefix4j.frozen;

import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;

/**
 * A frozen affine map from K inputs to M outputs, and its transpose for the way back.
 *
 * <p>n rows.
 */
sealed interface Linear permits Linear.Float32, Int8Linear {
    /**
     * Applies it.
     *
     * @param x [n, K]
     * @param residual float32 [n, M], added; null: none
     * @return float32 [n, M]
     */
    Tensor forward(Rows x, Tensor residual);

    /**
     * The gradient with respect to the input.
     *
     * @param dy [n, M]
     * @param residual float32 [n, K], added; null: none
     * @return float32 [n, K]
     */
    Tensor backward(Rows dy, Tensor residual);

    /**
     * In float32, on the weights of the model themselves.
     *
     * @param weight [K, M], rows may lie apart
     * @param bias [M]; null: none
     */
    record Float32(Tensor weight, Tensor bias) implements Linear {
        @Override
        public Tensor forward(Rows x, Tensor residual) {
            Tensor rows = ((Rows.Float32) x).x();
            if (bias == null && residual == null) {
                return torch.mm(rows, weight);
            }
            if (residual == null) {
                return torch.addmm(bias, rows, weight);
            }
            return (bias == null ? residual.clone() : residual.add(bias)).addmm_(rows, weight, new Scalar(1.0), new Scalar(1.0));
        }

        @Override
        public Tensor backward(Rows dy, Tensor residual) {
            Tensor rows = ((Rows.Float32) dy).x();
            return residual == null ? torch.mm(rows, weight.t()) : torch.addmm(residual, rows, weight.t());
        }
    }
}
