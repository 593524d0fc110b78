package dev.prefix4j.frozen;

import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.prefix4j.kernels.Kernels;
import dev.prefix4j.kernels.MixedRows;
import dev.prefix4j.model.Affine;
import dev.prefix4j.torch.TensorScope;
import dev.prefix4j.torch.TorchRuntime;
import java.util.List;
import java.util.Optional;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class MixingTest {
    @ParameterizedTest
    @ValueSource(ints = {1, 17, 31, 32, 40, 64, 100, 256, 300, 576, 1536})
    void mixesAsTheKernelsSayAndKeepsProducts(int columns) {
        try (TensorScope _ = new TensorScope()) {
            TorchRuntime.seed(5);
            Tensor x = torch.randn(3, columns);
            Tensor w = torch.randn(4, columns);
            Tensor mixed = Mixing.mix(x);
            assertTrue(torch.allclose(mixed, MixedRows.of(x), 1e-5, 1e-5, false), "by the definition");
            Tensor product = mixed.matmul(Mixing.mix(w).t());
            assertTrue(torch.allclose(product, x.matmul(w.t()), 1e-4, 1e-4, false), "products stay");
        }
    }

    /** One input a hundred times the others, as trained models have: 8 bits alone would leave the others one step each. */
    @Test
    void aLargeInputDoesNotCostTheOthersTheirPrecision() {
        for (Optional<Kernels> kernels : List.of(Optional.<Kernels>empty(), Kernels.find())) {
            Operators operators = kernels.isPresent() ? new NativeOperators(kernels.get()) : new AtenOperators();
            try (TensorScope _ = new TensorScope()) {
                TorchRuntime.seed(6);
                Tensor x = torch.randn(20, 576);
                x.narrow(1, 77, 1).mul_(new Scalar(100));
                Tensor w = torch.randn(576, 64);
                w.narrow(0, 77, 1).zero_(); // so the product depends on the small inputs alone
                Linear linear = Int8Linear.of(List.of(new Affine("w", w, null)), kernels.orElse(null));
                Tensor exact = x.matmul(w);
                Tensor y = linear.forward(operators.rows(x, Precision.INT8), null);
                double error = y.sub(exact).norm().item_double() / exact.norm().item_double();
                assertTrue(error < 0.1, () -> operators + ": " + error);
            }
        }
    }
}
