package dev.prefix4j.frozen;

import java.util.Objects;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.jspecify.annotations.Nullable;

/**
 * How the rows of a pass belong together in a block.
 *
 * @param packing null: rows that are decoded, each by itself
 * @param turns null: no rotary positions
 * @param asked int64 [M], rows that are asked for; null: all
 * @param extended what is put into the block
 */
record BlockRows(
        @Nullable Packing packing,
        @Nullable Turns turns,
        @Nullable Tensor asked,
        Extended extended) {
    /** How rows that are not decoded belong to sequences. */
    Packing sequences() {
        return Objects.requireNonNull(packing, "rows of sequences");
    }

    /** The rows of x that are asked for. */
    Tensor select(Tensor x) {
        return asked == null ? x : torch.index_select(x, 0, asked);
    }

    Rows select(Rows rows) {
        return asked == null ? rows : rows.select(asked);
    }

    /** Rotations of the rows that are asked for. */
    Tensor ofAsked(Turns of) {
        return asked == null ? of.all() : of.asked();
    }

    /** What is put into the block, among the rows that are asked for. */
    Extended extendedOfAsked() {
        return asked == null ? extended : extended.ofAsked();
    }
}
