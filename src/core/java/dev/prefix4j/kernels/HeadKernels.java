package dev.prefix4j.kernels;

import static dev.prefix4j.kernels.NativeLibrary.failed;

import java.lang.invoke.MethodHandle;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;

/** Kernels that process each head of a row separately. N rows, H heads of D columns. */
public final class HeadKernels {
    private final MethodHandle rotate;
    private final MethodHandle headNorm;
    private final MethodHandle headNormBackward;

    HeadKernels(NativeLibrary library) {
        this.rotate = library.bind(Function.ROTATE);
        this.headNorm = library.bind(Function.HEAD_NORM);
        this.headNormBackward = library.bind(Function.HEAD_NORM_BACKWARD);
    }

    /**
     * {@code p4j_rotate}, in place.
     *
     * @param x float32 [N, H · D], rows need not be adjacent
     * @param heads H
     * @param rotary number of a head's first columns that are rotated; even
     * @param turn [N, rotary] contiguous: a row's cosines, then its sines
     * @param back rotate in the opposite direction, as for gradients
     */
    public void rotate(Tensor x, int heads, int rotary, Tensor turn, boolean back) {
        Matrix in = Matrix.floats("x", x);
        long width = width(in, heads);
        if (rotary < 0 || rotary % 2 != 0 || rotary > width) {
            throw new IllegalArgumentException(
                    "kernel: expected an even number of rotary columns, up to %d, got %d".formatted(width, rotary));
        }
        try {
            rotate.invokeExact(
                    in.address(),
                    in.ld(),
                    in.rows(),
                    (long) heads,
                    width,
                    (long) rotary,
                    Matrix.floats("turn", turn, in.rows(), rotary).dense(),
                    back ? -1L : 1L);
        } catch (Throwable e) {
            throw failed(e);
        }
    }

    /**
     * {@code p4j_head_norm}.
     *
     * @param x float32 [N, H · D], rows need not be adjacent
     * @param heads H
     * @param weight [D]
     * @param y [N, H · D], must not be x; rows need not be adjacent
     * @param rstd [N, H] contiguous, or null
     */
    public void headNorm(Tensor x, int heads, Tensor weight, double epsilon, Tensor y, @Nullable Tensor rstd) {
        Matrix in = Matrix.floats("x", x);
        long width = width(in, heads);
        Matrix result = Matrix.floats("y", y, in.rows(), in.columns()).apartFrom(in);
        try {
            headNorm.invokeExact(
                    in.address(),
                    in.ld(),
                    Matrix.vector("weight", weight, ScalarType.Float, width),
                    (float) epsilon,
                    in.rows(),
                    (long) heads,
                    width,
                    result.address(),
                    result.ld(),
                    Matrix.floatsOrNone("rstd", rstd, in.rows(), heads).dense());
        } catch (Throwable e) {
            throw failed(e);
        }
    }

    /**
     * {@code p4j_head_norm_backward}.
     *
     * @param dy float32 [N, H · D], like x; rows need not be adjacent
     * @param heads H
     * @param weight [D]
     * @param rstd [N, H] contiguous, as {@link #headNorm} wrote it
     * @param dx [N, H · D], is written; may be dy; rows need not be adjacent
     */
    public void headNormBackward(Tensor dy, Tensor x, int heads, Tensor weight, Tensor rstd, Tensor dx) {
        Matrix in = Matrix.floats("x", x);
        long width = width(in, heads);
        Matrix up = Matrix.floats("dy", dy, in.rows(), in.columns());
        Matrix down = Matrix.floats("dx", dx, in.rows(), in.columns());
        try {
            headNormBackward.invokeExact(
                    up.address(),
                    up.ld(),
                    in.address(),
                    in.ld(),
                    Matrix.vector("weight", weight, ScalarType.Float, width),
                    Matrix.floats("rstd", rstd, in.rows(), heads).dense(),
                    in.rows(),
                    (long) heads,
                    width,
                    down.address(),
                    down.ld());
        } catch (Throwable e) {
            throw failed(e);
        }
    }

    /** Columns of a head. */
    private static long width(Matrix x, int heads) {
        if (heads < 1 || x.columns() % heads != 0) {
            throw new IllegalArgumentException("kernel: %s: expected heads of equal width, got %d columns for %d heads"
                    .formatted(x.name(), x.columns(), heads));
        }
        return x.columns() / heads;
    }
}
