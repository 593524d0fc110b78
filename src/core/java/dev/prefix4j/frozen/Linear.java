package dev.prefix4j.frozen;

import dev.prefix4j.kernels.Kernels;
import dev.prefix4j.kernels.ProductKernels;
import dev.prefix4j.model.Affine;
import dev.prefix4j.torch.TensorScope;
import java.util.List;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch;
import org.jspecify.annotations.Nullable;

/**
 * A frozen affine map from K inputs to M outputs, and its transpose for the backward pass.
 *
 * <p>n rows.
 */
sealed interface Linear permits Linear.Float32, Linear.SideBySide, Linear.Strips, Int8Linear {
    /**
     * Applies the map.
     *
     * @param x [n, K], in the form that the map takes
     * @param residual float32 [n, M], added; null: none
     * @return float32 [n, M]
     */
    Tensor forward(Rows x, @Nullable Tensor residual);

    /**
     * The gradient with respect to the input.
     *
     * @param dy [n, M], in the form that the map takes
     * @param residual float32 [n, K], added; null: none
     * @return float32 [n, K]
     */
    Tensor backward(Rows dy, @Nullable Tensor residual);

    /** The form in which it takes rows. */
    Precision form();

    /** M. */
    long outputs();

    /**
     * In float32, with the model's own weights.
     *
     * @param kernels null: libtorch's BLAS is used
     */
    record Float32(Affine map, @Nullable Kernels kernels) implements Linear {
        @Override
        public Precision form() {
            return Precision.FP32;
        }

        @Override
        public long outputs() {
            return map.outputs();
        }

        @Override
        public Tensor forward(Rows x, @Nullable Tensor residual) {
            return multiply((Rows.Float32) x, map.weight(), map.bias(), residual, kernels);
        }

        @Override
        public Tensor backward(Rows dy, @Nullable Tensor residual) {
            return multiply((Rows.Float32) dy, map.weight().t(), null, residual, kernels);
        }

        /** {@code x w + bias + residual}: x [n, K], w [K, M]. */
        static Tensor multiply(
                Rows.Float32 rows,
                Tensor w,
                @Nullable Tensor bias,
                @Nullable Tensor residual,
                @Nullable Kernels kernels) {
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

    /** Maps of the same rows; their outputs are concatenated. */
    record SideBySide(List<Float32> maps) implements Linear {
        @Override
        public Precision form() {
            return Precision.FP32;
        }

        @Override
        public long outputs() {
            return maps.stream().mapToLong(Float32::outputs).sum();
        }

        @Override
        public Tensor forward(Rows x, @Nullable Tensor residual) {
            Kernels kernels = maps.getFirst().kernels();
            if (kernels == null || !kernels.multipliesFloats()) {
                Tensor[] parts = maps.stream().map(map -> map.forward(x, null)).toArray(Tensor[]::new);
                Tensor y = torch.cat(new TensorVector(parts), 1);
                return residual == null ? y : y.add_(residual);
            }
            Tensor rows = ((Rows.Float32) x).x();
            Tensor y = torch.empty(new long[] {rows.size(0), outputs()}, rows.options(), null);
            long first = 0;
            for (Float32 one : maps) {
                Affine map = one.map();
                Tensor part = y.narrow(1, first, map.outputs());
                Tensor added = residual == null ? null : residual.narrow(1, first, map.outputs());
                kernels.products().multiply(rows, map.weight(), map.bias(), added, part);
                first += map.outputs();
            }
            return y;
        }

        @Override
        public Tensor backward(Rows dy, @Nullable Tensor residual) {
            Tensor rows = ((Rows.Float32) dy).x();
            Float32 one = maps.getFirst();
            Tensor sum = one.backward(new Rows.Float32(rows.narrow(1, 0, one.outputs())), residual);
            long first = one.outputs();
            for (Float32 map : maps.subList(1, maps.size())) {
                sum = map.backward(new Rows.Float32(rows.narrow(1, first, map.outputs())), sum);
                first += map.outputs();
            }
            return sum;
        }
    }

    /**
     * In float32, with a copy of the weights in the layout that is fastest to read for few rows.
     *
     * @param bias [M]; null: none
     * @param inPlace the same map with the model's own weights
     */
    record Strips(ProductKernels.Packed weight, @Nullable Tensor bias, Linear inPlace, ProductKernels kernels)
            implements Linear {
        static Strips of(List<Affine> maps, Linear inPlace, ProductKernels kernels) {
            try (TensorScope scope = new TensorScope()) {
                Affine joined = WeightForm.joined(maps);
                ProductKernels.Packed packed = kernels.pack(joined.weight());
                scope.keep(packed.memory());
                if (maps.size() > 1 && joined.bias() != null) {
                    scope.keep(joined.bias());
                }
                return new Strips(packed, joined.bias(), inPlace, kernels);
            }
        }

        @Override
        public Precision form() {
            return Precision.FP32;
        }

        @Override
        public long outputs() {
            return weight.outputs();
        }

        @Override
        public Tensor forward(Rows x, @Nullable Tensor residual) {
            return multiply((Rows.Float32) x, weight, 0, weight.outputs(), bias, residual, kernels);
        }

        @Override
        public Tensor backward(Rows dy, @Nullable Tensor residual) {
            return inPlace.backward(dy, residual);
        }

        /** {@code x w + bias + residual} for the {@code count} outputs of w from {@code first} on. */
        static Tensor multiply(
                Rows.Float32 rows,
                ProductKernels.Packed w,
                long first,
                long count,
                @Nullable Tensor bias,
                @Nullable Tensor residual,
                ProductKernels kernels) {
            Tensor x = rows.x();
            Tensor y = torch.empty(new long[] {x.size(0), count}, x.options(), null);
            kernels.multiply(x, w, first, bias, residual, y);
            return y;
        }
    }
}
