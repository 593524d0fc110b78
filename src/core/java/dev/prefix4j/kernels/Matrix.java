package dev.prefix4j.kernels;

import dev.prefix4j.torch.TensorScope;
import java.util.Arrays;
import java.util.stream.Collectors;
import org.bytedeco.javacpp.Pointer;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;

/**
 * A matrix on the CPU, in the form that kernels take.
 *
 * @param name of the argument, for messages
 * @param address of the first element; 0: no matrix
 * @param ld elements from one row to the next
 */
record Matrix(String name, long address, long rows, long columns, long ld) {
    /** A tensor [rows, columns] with contiguous columns; rows need not be adjacent. */
    static Matrix of(String name, Tensor tensor, ScalarType type) {
        requireCpu(name, tensor, type);
        if (tensor.dim() != 2) {
            throw wrong(name, "a matrix", tensor);
        }
        long rows = tensor.size(0);
        long columns = tensor.size(1);
        long ld = rows > 1 ? tensor.stride(0) : Math.max(tensor.stride(0), columns);
        if ((columns > 1 && tensor.stride(1) != 1) || ld < columns) {
            throw wrong(name, "rows with contiguous columns", tensor);
        }
        return new Matrix(name, address(tensor), rows, columns, ld);
    }

    /** A float32 matrix. */
    static Matrix floats(String name, Tensor tensor) {
        return of(name, tensor, ScalarType.Float);
    }

    /** A float32 matrix of a given shape. */
    static Matrix floats(String name, Tensor tensor, long rows, long columns) {
        return floats(name, tensor).require(rows, columns);
    }

    /** A float32 matrix of a given shape; none if the tensor is null. */
    static Matrix floatsOrNone(String name, @Nullable Tensor tensor, long rows, long columns) {
        return tensor == null ? new Matrix(name, 0, rows, columns, columns) : floats(name, tensor, rows, columns);
    }

    /** This matrix; it must have this shape. */
    Matrix require(long wantedRows, long wantedColumns) {
        if (rows != wantedRows || columns != wantedColumns) {
            throw new IllegalArgumentException("kernel: %s: expected [%d, %d], got [%d, %d]"
                    .formatted(name, wantedRows, wantedColumns, rows, columns));
        }
        return this;
    }

    /** Its address; its rows must be adjacent. */
    long dense() {
        if (address != 0 && rows > 1 && ld != columns) {
            throw new IllegalArgumentException(
                    "kernel: %s: expected rows %d apart, got %d".formatted(name, columns, ld));
        }
        return address;
    }

    /** This matrix; its row stride must be that of another matrix. */
    Matrix as(Matrix other) {
        if (address != 0 && other.address != 0 && rows > 1 && other.rows > 1 && ld != other.ld) {
            throw new IllegalArgumentException("kernel: %s and %s: expected equal row strides, got %d and %d"
                    .formatted(other.name, name, other.ld, ld));
        }
        return this;
    }

    /** This matrix; it must not begin where another matrix does, because a kernel reads that one after writing to this one. */
    Matrix apartFrom(Matrix other) {
        if (address != 0 && address == other.address && rows > 0 && columns > 0) {
            throw new IllegalArgumentException(
                    "kernel: %s: expected memory other than that of %s, got the same".formatted(name, other.name));
        }
        return this;
    }

    /** Address of a contiguous vector of a given length. */
    static long vector(String name, Tensor tensor, ScalarType type, long length) {
        requireCpu(name, tensor, type);
        if (tensor.numel() != length || !tensor.is_contiguous()) {
            throw wrong(name, length + " contiguous elements", tensor);
        }
        return address(tensor);
    }

    /** Address of a contiguous float32 vector; 0 if the tensor is null. */
    static long vectorOrNone(String name, @Nullable Tensor tensor, long length) {
        return tensor == null ? 0 : vector(name, tensor, ScalarType.Float, length);
    }

    /** Rejects anything but a tensor of a type on the CPU. */
    static void requireCpu(String name, Tensor tensor, ScalarType type) {
        requireTensor(name, tensor);
        if (!tensor.is_cpu() || tensor.scalar_type().intern() != type) {
            throw wrong(name, type + " on the CPU", tensor);
        }
    }

    /** Rejects null and closed tensors. */
    static void requireTensor(String name, Tensor tensor) {
        if (tensor == null) {
            throw new IllegalArgumentException("kernel: " + name + ": expected a tensor, got null");
        }
        if (tensor.isNull()) {
            throw new IllegalArgumentException("kernel: " + name + ": got " + TensorScope.CLOSED);
        }
    }

    private static long address(Tensor tensor) {
        Pointer data = tensor.data_ptr();
        return data == null ? 0 : data.address(); // null: no elements
    }

    private static IllegalArgumentException wrong(String name, String expected, Tensor tensor) {
        long[] sizes = new long[(int) tensor.dim()];
        long[] strides = new long[sizes.length];
        Arrays.setAll(sizes, tensor::size);
        Arrays.setAll(strides, tensor::stride);
        return new IllegalArgumentException("kernel: %s: expected %s, got %s [%s] with strides [%s] on %s"
                .formatted(
                        name,
                        expected,
                        tensor.scalar_type().intern(),
                        list(sizes),
                        list(strides),
                        tensor.device().str().getString()));
    }

    private static String list(long[] numbers) {
        return Arrays.stream(numbers).mapToObj(Long::toString).collect(Collectors.joining(", "));
    }
}
