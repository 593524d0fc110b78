package dev.prefix4j.kernels;

import dev.prefix4j.torch.TensorScope;
import java.util.Arrays;
import java.util.stream.Collectors;
import org.bytedeco.javacpp.Pointer;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;

/**
 * A matrix on the CPU as a kernel takes it.
 *
 * @param name of the argument, for messages
 * @param address of the first element; 0: there is none
 * @param ld elements between two rows
 */
record Matrix(String name, long address, long rows, long columns, long ld) {
    /** A tensor [rows, columns] whose columns lie side by side; rows may lie apart. */
    static Matrix of(String name, Tensor tensor, ScalarType type) {
        requireCpu(name, tensor, type);
        if (tensor.dim() != 2) {
            throw wrong(name, "a matrix", tensor);
        }
        long rows = tensor.size(0);
        long columns = tensor.size(1);
        long ld = rows > 1 ? tensor.stride(0) : Math.max(tensor.stride(0), columns);
        if ((columns > 1 && tensor.stride(1) != 1) || ld < columns) {
            throw wrong(name, "rows of columns side by side", tensor);
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

    /** A float32 matrix of a given shape, or none where the tensor is null. */
    static Matrix floatsOrNone(String name, @Nullable Tensor tensor, long rows, long columns) {
        return tensor == null ? new Matrix(name, 0, rows, columns, columns) : floats(name, tensor, rows, columns);
    }

    /** The same, if it has this shape. */
    Matrix require(long wantedRows, long wantedColumns) {
        if (rows != wantedRows || columns != wantedColumns) {
            throw new IllegalArgumentException("kernel: %s: expected [%d, %d], got [%d, %d]"
                    .formatted(name, wantedRows, wantedColumns, rows, columns));
        }
        return this;
    }

    /** Its address, if its rows lie side by side. */
    long dense() {
        if (address != 0 && rows > 1 && ld != columns) {
            throw new IllegalArgumentException(
                    "kernel: %s: expected rows %d apart, got %d".formatted(name, columns, ld));
        }
        return address;
    }

    /** The same, if its rows are as far apart as those of another one. */
    Matrix as(Matrix other) {
        if (address != 0 && other.address != 0 && rows > 1 && other.rows > 1 && ld != other.ld) {
            throw new IllegalArgumentException("kernel: %s and %s: expected rows as far apart, got %d and %d"
                    .formatted(other.name, name, other.ld, ld));
        }
        return this;
    }

    /** The same, if it does not begin where another one does: a kernel reads that after it has written this. */
    Matrix apartFrom(Matrix other) {
        if (address != 0 && address == other.address && rows > 0 && columns > 0) {
            throw new IllegalArgumentException(
                    "kernel: %s: expected other memory than that of %s, got the same".formatted(name, other.name));
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

    /** Address of a contiguous float32 vector; 0 where the tensor is null. */
    static long vectorOrNone(String name, @Nullable Tensor tensor, long length) {
        return tensor == null ? 0 : vector(name, tensor, ScalarType.Float, length);
    }

    /** Refuses what is no tensor of a type on the CPU. */
    static void requireCpu(String name, Tensor tensor, ScalarType type) {
        requireTensor(name, tensor);
        if (!tensor.is_cpu() || tensor.scalar_type().intern() != type) {
            throw wrong(name, type + " on the CPU", tensor);
        }
    }

    /** Refuses null and a tensor that has been closed. */
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
