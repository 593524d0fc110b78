package dev.prefix4j.frozen;

import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;

/**
 * How the rows of a pass belong together in a block.
 *
 * @param turns null: no rotary positions
 * @param asked int64 [M], rows that are asked for; null: all
 * @param extended what is put into the block
 */
record BlockRows(Packing packing, Turns turns, Tensor asked, Extended extended) {
    /** The rows of x that are asked for. */
    Tensor select(Tensor x) {
        return asked == null ? x : torch.index_select(x, 0, asked);
    }

    Rows select(Rows rows) {
        return asked == null ? rows : rows.select(asked);
    }

    /** Rotations of the rows that are asked for. */
    Tensor turnsOfAsked() {
        return asked == null ? turns.all() : turns.asked();
    }

    /** What is put into the block, among the rows that are asked for. */
    Extended extendedOfAsked() {
        return asked == null ? extended : extended.ofAsked();
    }
}
