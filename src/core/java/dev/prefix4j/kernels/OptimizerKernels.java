package dev.prefix4j.kernels;

import static dev.prefix4j.kernels.NativeLibrary.failed;

import java.lang.foreign.Arena;
import java.lang.invoke.MethodHandle;
import org.bytedeco.pytorch.Tensor;

/** Kernels of the optimizer. */
public final class OptimizerKernels {
    private final MethodHandle adamwProduct;

    OptimizerKernels(NativeLibrary library) {
        this.adamwProduct = library.bind(Function.ADAMW_PRODUCT);
    }

    /**
     * {@code p4j_adamw}.
     *
     * @param step from 1
     */
    public record AdamW(double rate, double beta1, double beta2, double epsilon, double decay, long step) {
        public AdamW {
            if (step < 1) {
                throw new IllegalArgumentException("kernel: step: expected at least 1, got " + step);
            }
        }

        private long struct(Arena arena) {
            return Struct.ADAMW
                    .allocate(arena)
                    .set("rate", rate)
                    .set("beta1", beta1)
                    .set("beta2", beta2)
                    .set("epsilon", epsilon)
                    .set("decay", decay)
                    .set("step", step)
                    .address();
        }
    }

    /**
     * {@code p4j_adamw_product}: a step for a parameter whose gradient is {@code leftᵀ right}.
     *
     * @param parameter [M, K] contiguous, like mean and square
     * @param left [P, M], rows need not be adjacent, nor those of right [P, K]
     */
    public void adamwProduct(AdamW how, Tensor parameter, Tensor mean, Tensor square, Tensor left, Tensor right) {
        Matrix p = Matrix.floats("parameter", parameter);
        Matrix l = Matrix.floats("left", left);
        l.require(l.rows(), p.rows());
        Matrix r = Matrix.floats("right", right, l.rows(), p.columns());
        try (Arena arena = Arena.ofConfined()) {
            adamwProduct.invokeExact(
                    how.struct(arena),
                    p.dense(),
                    Matrix.floats("mean", mean, p.rows(), p.columns()).dense(),
                    Matrix.floats("square", square, p.rows(), p.columns()).dense(),
                    p.rows(),
                    p.columns(),
                    l.address(),
                    l.ld(),
                    r.address(),
                    r.ld(),
                    l.rows());
        } catch (Throwable e) {
            throw failed(e);
        }
    }
}
