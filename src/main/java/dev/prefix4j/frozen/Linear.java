package dev.prefix4j.frozen;

import dev.prefix4j.kernels.Kernels;
import dev.prefix4j.kernels.ProductKernels;
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
     * @param strips the weight once more, in the layout that is read fastest where rows are few; null: not kept
     */
    record Float32(Tensor weight, Tensor bias, Kernels kernels, ProductKernels.Packed strips) implements Linear {
        /** Without a copy of the weight. */
        Float32(Tensor weight, Tensor bias, Kernels kernels) {
            this(weight, bias, kernels, null);
        }

        /** With a copy of the weight for decoding. */
        static Float32 forDecoding(Tensor weight, Tensor bias, Kernels kernels) {
            return new Float32(weight, bias, kernels, kernels.products().pack(weight));
        }

        @Override
        public Tensor forward(Rows x, Tensor residual) {
            Rows.Float32 rows = (Rows.Float32) x;
            return strips == null
                    ? multiply(rows, weight, bias, residual, kernels)
                    : multiply(rows, strips, 0, strips.outputs(), bias, residual, kernels);
        }

        @Override
        public Tensor backward(Rows dy, Tensor residual) {
            return multiply((Rows.Float32) dy, weight.t(), null, residual, kernels);
        }

        /** {@code x w + bias + residual} for {@code count} outputs of w from {@code first} on. */
        static Tensor multiply(
                Rows.Float32 rows,
                ProductKernels.Packed w,
                long first,
                long count,
                Tensor bias,
                Tensor residual,
                Kernels kernels) {
            Tensor x = rows.x();
            Tensor y = torch.empty(new long[] {x.size(0), count}, x.options(), null);
            kernels.products().multiply(x, w, first, bias, residual, y);
            return y;
        }

        /** {@code x w + bias + residual}: x [n, K], w [K, M]. */
        static Tensor multiply(Rows.Float32 rows, Tensor w, Tensor bias, Tensor residual, Kernels kernels) {
            Tensor x = rows.x();
            if (kernels != null && kernels.multipliesFloats()) {
                Tensor y = torch.empty(new long[] {x.size(0), w.size(1)}, x.options(), null);
                kernels.products().multiply(x, w, bias, residual, y);
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
