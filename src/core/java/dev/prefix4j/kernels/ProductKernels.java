package dev.prefix4j.kernels;

import static dev.prefix4j.kernels.NativeLibrary.failed;

import java.lang.foreign.Arena;
import java.lang.invoke.MethodHandle;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptions;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;

/**
 * Matrix products. n rows, K inputs, M outputs. The result of a row is bit-identical whether it is alone or among others.
 *
 * <p>Added to the product: bias [M] or null; residual float32 [n, M] or null, may be y. The rows of residual and of y [n, M]
 * need not be adjacent.
 */
public final class ProductKernels {
    /** A range of a packed matrix's outputs must begin at a multiple of this. */
    public static final long ALIGNMENT = 64;

    /** The alignment of a packed matrix in bytes, which libtorch's allocations have. */
    private static final long PACKED_BYTES = 64;

    private final MethodHandle packedBytes;
    private final MethodHandle pack;
    private final MethodHandle matmulQ8;
    private final MethodHandle matmulF32;
    private final MethodHandle packedFloats;
    private final MethodHandle packF32;
    private final MethodHandle matmulPackedF32;

    ProductKernels(NativeLibrary library) {
        this.packedBytes = library.bind(Function.PACKED_BYTES);
        this.pack = library.bind(Function.PACK);
        this.matmulQ8 = library.bind(Function.MATMUL_Q8);
        this.matmulF32 = library.bind(Function.MATMUL_F32);
        this.packedFloats = library.bind(Function.PACKED_FLOATS);
        this.packF32 = library.bind(Function.PACK_F32);
        this.matmulPackedF32 = library.bind(Function.MATMUL_PACKED_F32);
    }

    /**
     * A weight matrix in the layout of a kernel.
     *
     * @param memory uint8: 8 bits; float32: strips
     * @param inputs K
     * @param outputs M
     */
    public record Packed(Tensor memory, long inputs, long outputs) {
        private long address(ScalarType type, long length) {
            long address = Matrix.vector("packed weight", memory, type, length);
            if (address % PACKED_BYTES != 0) {
                throw new IllegalArgumentException(
                        "kernel: packed weight: expected an address that is a multiple of %d, got %d"
                                .formatted(PACKED_BYTES, address));
            }
            return address;
        }

        /** Rejects outputs that it does not have. */
        private void require(long first, long count) {
            if (first < 0 || first % ALIGNMENT != 0 || first + count > outputs) {
                throw new IllegalArgumentException(
                        "kernel: expected outputs from a multiple of %d on, within %d, got %d from %d on"
                                .formatted(ALIGNMENT, outputs, count, first));
            }
        }
    }

    /**
     * {@code p4j_pack}: a weight in 8 bits.
     *
     * @param weight float32, bfloat16 or float16 [K, M], with any strides
     * @return with memory that belongs to the open scope or the caller
     */
    public Packed quantize(Tensor weight) {
        requireMatrix(weight);
        long k = weight.size(0);
        long m = weight.size(1);
        try {
            Tensor memory = empty((long) packedBytes.invokeExact(k, m), ScalarType.Byte);
            pack.invokeExact(
                    weight.data_ptr().address(),
                    stored(weight),
                    weight.stride(0),
                    weight.stride(1),
                    k,
                    m,
                    memory.data_ptr().address());
            return new Packed(memory, k, m);
        } catch (Throwable e) {
            throw failed(e);
        }
    }

    /** The header's constant for the type of a weight. */
    private static long stored(Tensor weight) {
        return switch (weight.scalar_type().intern()) {
            case Float -> 0;
            case BFloat16 -> 1;
            case Half -> 2;
            default -> throw wrong(weight, "float32, bfloat16 or float16");
        };
    }

    /**
     * {@code p4j_pack_f32}: a float32 weight in strips.
     *
     * @param weight float32 [K, M], with contiguous rows or columns
     * @return with memory that belongs to the open scope or the caller
     */
    public Packed pack(Tensor weight) {
        requireContiguous(floatMatrix(weight));
        long k = weight.size(0);
        long m = weight.size(1);
        try {
            Tensor memory = empty((long) packedFloats.invokeExact(k, m), ScalarType.Float);
            packF32.invokeExact(
                    weight.data_ptr().address(),
                    weight.stride(0),
                    weight.stride(1),
                    k,
                    m,
                    memory.data_ptr().address());
            return new Packed(memory, k, m);
        } catch (Throwable e) {
            throw failed(e);
        }
    }

    private static Tensor empty(long elements, ScalarType type) {
        return torch.empty(new long[] {elements}, new TensorOptions(type), null);
    }

    private static void requireMatrix(Tensor weight) {
        Matrix.requireTensor("weight", weight);
        if (weight.dim() != 2 || !weight.is_cpu()) {
            throw wrong(weight, "a matrix");
        }
    }

    private static Tensor floatMatrix(Tensor weight) {
        requireMatrix(weight);
        if (weight.scalar_type().intern() != ScalarType.Float) {
            throw wrong(weight, "float32");
        }
        return weight;
    }

    private static IllegalArgumentException wrong(Tensor weight, String expected) {
        return new IllegalArgumentException("kernel: weight: expected %s on the CPU, got %s of %d dimensions"
                .formatted(expected, weight.scalar_type().intern(), weight.dim()));
    }

    private static void requireContiguous(Tensor weight) {
        if (weight.stride(0) != 1 && weight.stride(1) != 1) {
            throw new IllegalArgumentException(
                    "kernel: weight: expected contiguous rows or columns, got strides [%d, %d]"
                            .formatted(weight.stride(0), weight.stride(1)));
        }
    }

    /** {@code p4j_matmul_q8}, for as many outputs from {@code first} on as y has columns. */
    public void multiply(
            EightBits x, Packed weight, long first, @Nullable Tensor bias, @Nullable Tensor residual, Tensor y) {
        Matrix out = Matrix.floats("y", y);
        Matrix plus = Matrix.floatsOrNone("residual", residual, out.rows(), out.columns());
        weight.require(first, out.columns());
        try (Arena arena = Arena.ofConfined()) {
            matmulQ8.invokeExact(
                    EightBits.required(arena, x, out.rows(), weight.inputs()),
                    out.rows(),
                    weight.address(ScalarType.Byte, (long) packedBytes.invokeExact(weight.inputs(), weight.outputs())),
                    weight.inputs(),
                    weight.outputs(),
                    first,
                    out.columns(),
                    Matrix.vectorOrNone("bias", bias, out.columns()),
                    plus.address(),
                    plus.ld(),
                    out.address(),
                    out.ld());
        } catch (Throwable e) {
            throw failed(e);
        }
    }

    /** {@code p4j_matmul_packed_f32}, x [n, K], for as many outputs from {@code first} on as y has columns. */
    public void multiply(
            Tensor x, Packed weight, long first, @Nullable Tensor bias, @Nullable Tensor residual, Tensor y) {
        Matrix out = Matrix.floats("y", y);
        Matrix in = Matrix.floats("x", x, out.rows(), weight.inputs());
        Matrix plus = Matrix.floatsOrNone("residual", residual, out.rows(), out.columns());
        weight.require(first, out.columns());
        try {
            matmulPackedF32.invokeExact(
                    in.address(),
                    in.ld(),
                    in.rows(),
                    weight.address(
                            ScalarType.Float, (long) packedFloats.invokeExact(weight.inputs(), weight.outputs())),
                    weight.inputs(),
                    first,
                    out.columns(),
                    Matrix.vectorOrNone("bias", bias, out.columns()),
                    plus.address(),
                    plus.ld(),
                    out.address(),
                    out.ld());
        } catch (Throwable e) {
            throw failed(e);
        }
    }

    /**
     * {@code p4j_matmul_f32}.
     *
     * @param x [n, K], rows need not be adjacent
     * @param weight [K, M], with contiguous rows or columns
     */
    public void multiply(Tensor x, Tensor weight, @Nullable Tensor bias, @Nullable Tensor residual, Tensor y) {
        Matrix in = Matrix.floats("x", x);
        Matrix out = Matrix.floats("y", y);
        Matrix plus = Matrix.floatsOrNone("residual", residual, out.rows(), out.columns());
        out.require(in.rows(), out.columns());
        requireContiguous(floatMatrix(weight));
        boolean side = weight.stride(1) == 1; // the weights of an input are contiguous
        Matrix w = side
                ? Matrix.floats("weight", weight, in.columns(), out.columns())
                : Matrix.floats("weight", weight.t(), out.columns(), in.columns());
        try {
            matmulF32.invokeExact(
                    in.address(),
                    in.ld(),
                    in.rows(),
                    w.address(),
                    side ? w.ld() : 1L,
                    side ? 1L : w.ld(),
                    in.columns(),
                    out.columns(),
                    Matrix.vectorOrNone("bias", bias, out.columns()),
                    plus.address(),
                    plus.ld(),
                    out.address(),
                    out.ld());
        } catch (Throwable e) {
            throw failed(e);
        }
    }
}
