package dev.prefix4j.frozen;

import java.util.Objects;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.jspecify.annotations.Nullable;

/**
 * The rows of a pass in a block.
 *
 * @param packing null: rows that are being decoded, one token each
 * @param turns null: no rotary positions
 * @param asked int64 [M], rows whose output is requested; null: all
 * @param extended what is put into the block
 */
record BlockRows(
        @Nullable Packing packing,
        @Nullable Turns turns,
        @Nullable Tensor asked,
        Extended extended) {
    /** The packing, for rows that are not being decoded. */
    Packing sequences() {
        return Objects.requireNonNull(packing, "rows of sequences");
    }

    /** The requested rows of x. */
    Tensor select(Tensor x) {
        return asked == null ? x : torch.index_select(x, 0, asked);
    }

    Rows select(Rows rows) {
        return asked == null ? rows : rows.select(asked);
    }

    /** Rotations of the requested rows. */
    Tensor ofAsked(Turns of) {
        return asked == null ? of.all() : of.asked();
    }

    /** What is put into the block, indexed among the requested rows. */
    Extended extendedOfAsked() {
        return asked == null ? extended : extended.ofAsked();
    }
}
