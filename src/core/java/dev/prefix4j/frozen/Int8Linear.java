package dev.prefix4j.frozen;

import dev.prefix4j.kernels.Kernels;
import dev.prefix4j.kernels.ProductKernels;
import dev.prefix4j.model.Affine;
import dev.prefix4j.torch.Aten;
import dev.prefix4j.torch.Safetensors;
import dev.prefix4j.torch.TensorScope;
import dev.prefix4j.torch.TorchRuntime;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptions;
import org.bytedeco.pytorch.global.torch;
import org.jspecify.annotations.Nullable;

/**
 * A frozen affine map in 8 bits ({@link Precision#INT8}). The weight matrix is stored with a scale for each output and, for
 * the backward pass, transposed with a scale for each input; the transposed copy is made for the first gradient.
 */
final class Int8Linear implements Linear {
    private final List<Affine> maps;
    private final @Nullable Tensor bias; // [M]; null: none
    private final @Nullable Kernels kernels;
    private final OneWay forward;
    private final TensorScope.Owner owner;
    private @Nullable OneWay backward; // null: not needed yet

    private Int8Linear(
            List<Affine> maps,
            @Nullable Tensor bias,
            OneWay forward,
            @Nullable Kernels kernels,
            TensorScope.Owner owner) {
        this.maps = maps;
        this.bias = bias;
        this.forward = forward;
        this.kernels = kernels;
        this.owner = owner;
    }

    /**
     * Quantizes the weights of maps whose outputs are concatenated.
     *
     * @param maps must stay open
     * @param kernels null: libtorch's operators are used
     */
    static Int8Linear of(List<Affine> maps, @Nullable Kernels kernels) {
        TensorScope.Owner owner = TensorScope.owner();
        try (TensorScope scope = new TensorScope()) {
            Affine joined = WeightForm.joined(maps);
            if (maps.size() > 1 && joined.bias() != null) {
                scope.keep(joined.bias());
            }
            OneWay forward = OneWay.of(joined.weight(), kernels);
            forward.tensors().forEach(scope::keep);
            return new Int8Linear(maps, joined.bias(), forward, kernels, owner);
        }
    }

    private synchronized OneWay transposed() {
        OneWay made = backward;
        if (made == null) {
            try (TensorScope scope = new TensorScope();
                    TorchRuntime.LongLived _ = TorchRuntime.require().longLived()) {
                made = OneWay.of(WeightForm.joined(maps).weight().t(), kernels);
                made.tensors().forEach(tensor -> scope.give(tensor, owner));
            }
            backward = made;
            maps.forEach(map -> Safetensors.evict(map.weight()));
        }
        return made;
    }

    @Override
    public Precision form() {
        return Precision.INT8;
    }

    @Override
    public long outputs() {
        return maps.stream().mapToLong(Affine::outputs).sum();
    }

    @Override
    public Tensor forward(Rows x, @Nullable Tensor residual) {
        return forward.multiply((Rows.Int8) x, bias, residual);
    }

    @Override
    public Tensor backward(Rows dy, @Nullable Tensor residual) {
        return transposed().multiply((Rows.Int8) dy, null, residual);
    }

    /** A quantized matrix of K inputs and M outputs. */
    sealed interface OneWay {
        /**
         * Multiplies rows by the matrix.
         *
         * @param x [n, K]
         * @param bias [M]; null: none
         * @param residual float32 [n, M]; null: none
         * @return float32 [n, M]
         */
        Tensor multiply(Rows.Int8 x, @Nullable Tensor bias, @Nullable Tensor residual);

        /**
         * As above, for a range of the outputs.
         *
         * @param x [n, K]
         * @param first first output, a multiple of 64
         * @return float32 [n, count]
         */
        Tensor multiply(Rows.Int8 x, long first, long count);

        /** K. */
        long inputs();

        /** Its tensors. */
        List<Tensor> tensors();

        /** @param weight [K, M], float32, bfloat16 or float16 */
        static OneWay of(Tensor weight, @Nullable Kernels kernels) {
            return kernels == null
                    ? Composed.of(weight.to(torch.ScalarType.Float))
                    : new Packed(kernels.products(), kernels.products().quantize(weight));
        }
    }

    /**
     * With our kernels.
     *
     * @param weight in 8 bits
     */
    record Packed(ProductKernels kernels, ProductKernels.Packed weight) implements OneWay {
        @Override
        public long inputs() {
            return weight.inputs();
        }

        @Override
        public List<Tensor> tensors() {
            return List.of(weight.memory());
        }

        @Override
        public Tensor multiply(Rows.Int8 x, @Nullable Tensor bias, @Nullable Tensor residual) {
            return multiply(x, 0, weight.outputs(), bias, residual);
        }

        @Override
        public Tensor multiply(Rows.Int8 x, long first, long count) {
            return multiply(x, first, count, null, null);
        }

        private Tensor multiply(Rows.Int8 x, long first, long count, @Nullable Tensor bias, @Nullable Tensor residual) {
            Tensor y = torch.empty(new long[] {x.count(), count}, new TensorOptions(torch.ScalarType.Float), null);
            kernels.multiply(x.bits(), weight, first, bias, residual, y);
            return y;
        }
    }

    /**
     * With {@code aten::_int_mm}: for machines without our kernels, and as the reference in their tests.
     *
     * @param q int8 [K', M], K' is K rounded up to a multiple of 4; rows from K on are 0
     * @param scale [M]
     */
    record Composed(Tensor q, Tensor scale, long inputs) implements OneWay {
        private static final Aten.Operator INT_MM = Aten.operator("aten::_int_mm", "");

        static Composed of(Tensor weight) {
            try (TensorScope scope = new TensorScope()) {
                Rows.Int8 columns = AtenOperators.quantize(weight.t()); // [M, K']
                return new Composed(scope.keep(columns.q().t()), scope.keep(columns.scale()), weight.size(0));
            }
        }

        @Override
        public List<Tensor> tensors() {
            return List.of(q, scale);
        }

        @Override
        public Tensor multiply(Rows.Int8 x, @Nullable Tensor bias, @Nullable Tensor residual) {
            Tensor y = product(x, q, scale);
            if (bias != null) {
                y.add_(bias);
            }
            return residual == null ? y : y.add_(residual);
        }

        @Override
        public Tensor multiply(Rows.Int8 x, long first, long count) {
            return product(x, q.narrow(1, first, count), scale.narrow(0, first, count));
        }

        private static Tensor product(Rows.Int8 x, Tensor q, Tensor scale) {
            return INT_MM.tensor(x.q(), q) // int32 [n, M]
                    .to(torch.ScalarType.Float)
                    .mul_(x.scale().unsqueeze(1))
                    .mul_(scale);
        }
    }
}
