package dev.prefix4j.frozen;

import dev.prefix4j.kernels.EightBits;
import dev.prefix4j.torch.TensorScope;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;

/** Rows of activations or gradients, in the form that a {@link Linear} takes. N rows, K columns. */
sealed interface Rows {
    /** @param x float32 [N, K] */
    record Float32(Tensor x) implements Rows {}

    /**
     * Rows that are {@code scale · q} when {@link Mixing mixed}.
     *
     * @param q int8 [N, K'], K' is K rounded up to a multiple of 4; columns from K on are 0
     * @param scale float32 [N], largest magnitude of a row, divided by 127
     * @param sum int32 [N], sum of a row of {@code q}
     */
    record Int8(Tensor q, Tensor scale, Tensor sum) implements Rows {
        /** In the form that kernels take. */
        EightBits bits() {
            return new EightBits(q, scale, sum);
        }
    }

    /** The rows with these indices, int64 [n]. */
    default Rows select(Tensor index) {
        return switch (this) {
            case Float32(Tensor x) -> new Float32(torch.index_select(x, 0, index));
            case Int8(Tensor q, Tensor scale, Tensor sum) ->
                new Int8(
                        torch.index_select(q, 0, index),
                        torch.index_select(scale, 0, index),
                        torch.index_select(sum, 0, index));
        };
    }

    /** Lets them outlive a scope. */
    default Rows keep(TensorScope scope) {
        return switch (this) {
            case Float32(Tensor x) -> new Float32(scope.keep(x));
            case Int8(Tensor q, Tensor scale, Tensor sum) ->
                new Int8(scope.keep(q), scope.keep(scale), scope.keep(sum));
        };
    }

    /** Number of rows. */
    default long count() {
        return switch (this) {
            case Float32 rows -> rows.x().size(0);
            case Int8 rows -> rows.q().size(0);
        };
    }
}
