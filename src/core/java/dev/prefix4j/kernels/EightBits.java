package dev.prefix4j.kernels;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;

/**
 * Rows that are {@code scale · q} when mixed: {@code p4j_q8_rows}.
 *
 * @param q int8 [N, K'] contiguous, K' at least K rounded up to a multiple of 4
 * @param scale float32 [N]
 * @param sum int32 [N], of a row of {@code q}
 */
public record EightBits(Tensor q, Tensor scale, Tensor sum) {
    /** The structure of rows [n, columns]; if null, that of no rows. */
    static MemorySegment struct(Arena arena, @Nullable EightBits rows, long n, long columns) {
        Struct.Fields struct = Struct.Q8_ROWS.allocate(arena);
        if (rows != null) {
            Matrix q = Matrix.of("q", rows.q, ScalarType.Char);
            if (q.rows() != n || q.columns() % 4 != 0 || q.columns() < columns) {
                throw new IllegalArgumentException("kernel: q: expected [%d, %d], got [%d, %d]"
                        .formatted(n, Math.ceilDiv(columns, 4L) * 4, q.rows(), q.columns()));
            }
            struct.set("q", q.dense())
                    .set("ld", q.columns()) // up to which kernels write zeros
                    .set("scale", Matrix.vector("scale", rows.scale, ScalarType.Float, n))
                    .set("sum", Matrix.vector("sum", rows.sum, ScalarType.Int, n));
        }
        return struct.memory();
    }

    /** The structure of rows that must not be null. */
    static MemorySegment required(Arena arena, EightBits rows, long n, long columns) {
        if (rows == null) {
            throw new IllegalArgumentException("kernel: q: expected rows in 8 bits, got null");
        }
        return struct(arena, rows, n, columns);
    }
}
