package dev.prefix4j.kernels;

import static dev.prefix4j.kernels.NativeLibrary.failed;

import java.lang.foreign.Arena;
import java.lang.invoke.MethodHandle;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;

/** Kernels that process one row at a time. N rows, E or F columns. */
public final class RowKernels {
    private final MethodHandle quantize;
    private final MethodHandle layerNorm;
    private final MethodHandle layerNormBackward;
    private final MethodHandle rmsNorm;
    private final MethodHandle rmsNormBackward;
    private final MethodHandle gelu;
    private final MethodHandle geluBackward;
    private final MethodHandle slopeBackward;
    private final MethodHandle swiglu;
    private final MethodHandle swigluBackward;

    RowKernels(NativeLibrary library) {
        this.quantize = library.bind(Function.QUANTIZE);
        this.layerNorm = library.bind(Function.LAYER_NORM);
        this.layerNormBackward = library.bind(Function.LAYER_NORM_BACKWARD);
        this.rmsNorm = library.bind(Function.RMS_NORM);
        this.rmsNormBackward = library.bind(Function.RMS_NORM_BACKWARD);
        this.gelu = library.bind(Function.GELU);
        this.geluBackward = library.bind(Function.GELU_BACKWARD);
        this.slopeBackward = library.bind(Function.SLOPE_BACKWARD);
        this.swiglu = library.bind(Function.SWIGLU);
        this.swigluBackward = library.bind(Function.SWIGLU_BACKWARD);
    }

    /**
     * {@code p4j_quantize}.
     *
     * @param x float32 [N, K], rows need not be adjacent
     * @param rest the quantization error, [N, K], with the row stride of x; may be x; null: not wanted
     */
    public void quantize(Tensor x, EightBits out, @Nullable Tensor rest) {
        Matrix in = Matrix.floats("x", x);
        Matrix left = Matrix.floatsOrNone("rest", rest, in.rows(), in.columns()).as(in);
        try (Arena arena = Arena.ofConfined()) {
            quantize.invokeExact(
                    in.address(),
                    in.ld(),
                    in.rows(),
                    in.columns(),
                    EightBits.required(arena, out, in.rows(), in.columns()),
                    left.address());
        } catch (Throwable e) {
            throw failed(e);
        }
    }

    /**
     * {@code p4j_layer_norm}.
     *
     * @param x float32 [N, E], rows need not be adjacent
     * @param weight [E], like bias
     * @param y [N, E] contiguous; null: only 8 bits
     * @param out null: only float32
     * @param mean [N] or null, like rstd
     */
    public void layerNorm(
            Tensor x,
            Tensor weight,
            Tensor bias,
            double epsilon,
            @Nullable Tensor y,
            @Nullable EightBits out,
            @Nullable Tensor mean,
            @Nullable Tensor rstd) {
        Matrix in = Matrix.floats("x", x);
        try (Arena arena = Arena.ofConfined()) {
            layerNorm.invokeExact(
                    in.address(),
                    in.ld(),
                    Matrix.vector("weight", weight, ScalarType.Float, in.columns()),
                    Matrix.vector("bias", bias, ScalarType.Float, in.columns()),
                    (float) epsilon,
                    in.rows(),
                    in.columns(),
                    Matrix.floatsOrNone("y", y, in.rows(), in.columns()).dense(),
                    EightBits.struct(arena, out, in.rows(), in.columns()),
                    Matrix.vectorOrNone("mean", mean, in.rows()),
                    Matrix.vectorOrNone("rstd", rstd, in.rows()));
        } catch (Throwable e) {
            throw failed(e);
        }
    }

    /** {@code p4j_layer_norm_backward}: adds to dx [N, E]; dy [N, E], weight [E], mean and rstd [N]; rows of x need not be adjacent. */
    public void layerNormBackward(Tensor dy, Tensor x, Tensor weight, Tensor mean, Tensor rstd, Tensor dx) {
        Matrix in = Matrix.floats("x", x);
        try {
            layerNormBackward.invokeExact(
                    Matrix.floats("dy", dy, in.rows(), in.columns()).dense(),
                    in.address(),
                    in.ld(),
                    Matrix.vector("weight", weight, ScalarType.Float, in.columns()),
                    Matrix.vector("mean", mean, ScalarType.Float, in.rows()),
                    Matrix.vector("rstd", rstd, ScalarType.Float, in.rows()),
                    in.rows(),
                    in.columns(),
                    Matrix.floats("dx", dx, in.rows(), in.columns()).dense());
        } catch (Throwable e) {
            throw failed(e);
        }
    }

    /**
     * {@code p4j_rms_norm}.
     *
     * @param x float32 [N, E], rows need not be adjacent
     * @param weight [E]
     * @param y [N, E] contiguous; null: only 8 bits
     * @param out null: only float32
     * @param rstd [N] or null
     */
    public void rmsNorm(
            Tensor x,
            Tensor weight,
            double epsilon,
            @Nullable Tensor y,
            @Nullable EightBits out,
            @Nullable Tensor rstd) {
        Matrix in = Matrix.floats("x", x);
        try (Arena arena = Arena.ofConfined()) {
            rmsNorm.invokeExact(
                    in.address(),
                    in.ld(),
                    Matrix.vector("weight", weight, ScalarType.Float, in.columns()),
                    (float) epsilon,
                    in.rows(),
                    in.columns(),
                    Matrix.floatsOrNone("y", y, in.rows(), in.columns()).dense(),
                    EightBits.struct(arena, out, in.rows(), in.columns()),
                    Matrix.vectorOrNone("rstd", rstd, in.rows()));
        } catch (Throwable e) {
            throw failed(e);
        }
    }

    /** {@code p4j_rms_norm_backward}: adds to dx [N, E]; dy [N, E], weight [E], rstd [N]; rows of x need not be adjacent. */
    public void rmsNormBackward(Tensor dy, Tensor x, Tensor weight, Tensor rstd, Tensor dx) {
        Matrix in = Matrix.floats("x", x);
        try {
            rmsNormBackward.invokeExact(
                    Matrix.floats("dy", dy, in.rows(), in.columns()).dense(),
                    in.address(),
                    in.ld(),
                    Matrix.vector("weight", weight, ScalarType.Float, in.columns()),
                    Matrix.vector("rstd", rstd, ScalarType.Float, in.rows()),
                    in.rows(),
                    in.columns(),
                    Matrix.floats("dx", dx, in.rows(), in.columns()).dense());
        } catch (Throwable e) {
            throw failed(e);
        }
    }

    /**
     * {@code p4j_gelu}.
     *
     * @param x float32 [N, F] contiguous
     * @param y [N, F] contiguous; null: only 8 bits
     * @param out null: only float32
     * @param slope uint8 [N, F]; null: not wanted
     */
    public void gelu(Tensor x, @Nullable Tensor y, @Nullable EightBits out, @Nullable Tensor slope) {
        Matrix in = Matrix.floats("x", x);
        try (Arena arena = Arena.ofConfined()) {
            gelu.invokeExact(
                    in.dense(),
                    in.rows(),
                    in.columns(),
                    Matrix.floatsOrNone("y", y, in.rows(), in.columns()).dense(),
                    EightBits.struct(arena, out, in.rows(), in.columns()),
                    slope == null ? 0L : slope("slope", slope, in));
        } catch (Throwable e) {
            throw failed(e);
        }
    }

    /** {@code p4j_gelu_backward}: dx [N, F] may be dy, or null for 8 bits only. */
    public void geluBackward(Tensor dy, Tensor x, @Nullable Tensor dx, @Nullable EightBits out) {
        Matrix in = Matrix.floats("x", x);
        try (Arena arena = Arena.ofConfined()) {
            geluBackward.invokeExact(
                    Matrix.floats("dy", dy, in.rows(), in.columns()).dense(),
                    in.dense(),
                    in.rows(),
                    in.columns(),
                    Matrix.floatsOrNone("dx", dx, in.rows(), in.columns()).dense(),
                    EightBits.struct(arena, out, in.rows(), in.columns()));
        } catch (Throwable e) {
            throw failed(e);
        }
    }

    /** {@code p4j_slope_backward}: dy [N, F], slope uint8 [N, F]. */
    public void slopeBackward(Tensor dy, Tensor slope, EightBits out) {
        Matrix up = Matrix.floats("dy", dy);
        try (Arena arena = Arena.ofConfined()) {
            slopeBackward.invokeExact(
                    up.dense(),
                    slope("slope", slope, up),
                    up.rows(),
                    up.columns(),
                    EightBits.required(arena, out, up.rows(), up.columns()));
        } catch (Throwable e) {
            throw failed(e);
        }
    }

    /**
     * {@code p4j_swiglu}.
     *
     * @param x float32 [N, 2 F], gates first; rows need not be adjacent
     * @param y [N, F] contiguous; null: only 8 bits
     * @param out null: only float32
     */
    public void swiglu(Tensor x, @Nullable Tensor y, @Nullable EightBits out) {
        Matrix in = Matrix.floats("x", x);
        long columns = half(in);
        try (Arena arena = Arena.ofConfined()) {
            swiglu.invokeExact(
                    in.address(),
                    in.ld(),
                    in.rows(),
                    columns,
                    Matrix.floatsOrNone("y", y, in.rows(), columns).dense(),
                    EightBits.struct(arena, out, in.rows(), columns));
        } catch (Throwable e) {
            throw failed(e);
        }
    }

    /**
     * {@code p4j_swiglu_backward}.
     *
     * @param dy float32 [N, F] contiguous
     * @param x [N, 2 F], gates first; rows need not be adjacent
     * @param dx [N, 2 F] contiguous, must not be x or dy; null: only 8 bits
     * @param out [N, 2 F] in 8 bits; null: only float32
     */
    public void swigluBackward(Tensor dy, Tensor x, @Nullable Tensor dx, @Nullable EightBits out) {
        Matrix in = Matrix.floats("x", x);
        long columns = half(in);
        Matrix up = Matrix.floats("dy", dy, in.rows(), columns);
        try (Arena arena = Arena.ofConfined()) {
            swigluBackward.invokeExact(
                    up.dense(),
                    in.address(),
                    in.ld(),
                    in.rows(),
                    columns,
                    Matrix.floatsOrNone("dx", dx, in.rows(), in.columns())
                            .apartFrom(in)
                            .apartFrom(up)
                            .dense(),
                    EightBits.struct(arena, out, in.rows(), in.columns()));
        } catch (Throwable e) {
            throw failed(e);
        }
    }

    /** The number of gate columns, which is also that of value columns. */
    private static long half(Matrix x) {
        if (x.columns() % 2 != 0) {
            throw new IllegalArgumentException(
                    "kernel: %s: expected as many gates as values, got %d columns".formatted(x.name(), x.columns()));
        }
        return x.columns() / 2;
    }

    private static long slope(String name, Tensor slope, Matrix of) {
        return Matrix.of(name, slope, ScalarType.Byte)
                .require(of.rows(), of.columns())
                .dense();
    }
}
