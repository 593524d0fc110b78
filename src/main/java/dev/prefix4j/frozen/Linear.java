package dev.prefix4j.frozen;

import dev.prefix4j.torch.Kernels;
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
     * @param weight [K, M], rows or columns contiguous
     * @param bias [M]; null: none
     * @param kernels null: libtorch's BLAS does the work
     */
    record Float32(Tensor weight, Tensor bias, Kernels kernels) implements Linear {
        @Override
        public Tensor forward(Rows x, Tensor residual) {
            return multiply((Rows.Float32) x, weight, bias, residual, kernels);
        }

        @Override
        public Tensor backward(Rows dy, Tensor residual) {
            return multiply((Rows.Float32) dy, weight.t(), null, residual, kernels);
        }

        /** {@code x w + bias + residual}: x [n, K], w [K, M]. */
        static Tensor multiply(Rows.Float32 rows, Tensor w, Tensor bias, Tensor residual, Kernels kernels) {
            Tensor x = rows.x();
            if (kernels != null && kernels.multipliesFloats()) {
                Tensor y = torch.empty(new long[] {x.size(0), w.size(1)}, x.options(), null);
                kernels.matmulF32(x, w, bias, residual, y);
                return y;
            }
            if (residual != null) {
                Tensor y = bias == null ? residual.clone() : residual.add(bias);
                return y.addmm_(x, w, new Scalar(1.0), new Scalar(1.0));
            }
            return bias == null ? torch.mm(x, w) : torch.addmm(bias, x, w);
        }
    }
}
