package dev.prefix4j.frozen;

import dev.prefix4j.frozen.Operators.Attended;
import dev.prefix4j.frozen.Operators.Moments;
import dev.prefix4j.frozen.Operators.NormalizedHeads;
import java.util.List;
import java.util.function.Consumer;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * What the backward pass through a block needs.
 *
 * <p>N rows, M of them requested, E width, Q columns of queries, K of keys, F inner width.
 *
 * @param x [N, E], the input of the block
 * @param norm1 of the normalization before attention
 * @param heads the inputs of attention
 * @param behindAttention for each part with a network behind attention, its input
 * @param middle [M, E], after attention
 * @param norm2 of the normalization after attention
 * @param activated of the activation, as {@link Operators.Activated} keeps it
 * @param inner the input of the activation, [M, F] or [M, 2F], if {@code activated} is only a derivative and the map behind the
 *     activation is changed; otherwise null
 * @param behindMlp likewise for networks behind the MLP
 */
record Saved(
        Tensor x,
        Moments norm1,
        Heads heads,
        Attended attended,
        List<Tensor> behindAttention,
        Tensor middle,
        Moments norm2,
        Tensor activated,
        @Nullable Tensor inner,
        List<Tensor> behindMlp) {
    /** Lets everything but x, which is the caller's, outlive a scope. */
    void keep(Consumer<Tensor> keeper) {
        norm1.keep(keeper);
        heads.keep(keeper);
        keeper.accept(attended.y());
        keeper.accept(attended.lse());
        behindAttention.forEach(keeper);
        keeper.accept(middle);
        norm2.keep(keeper);
        keeper.accept(activated);
        if (inner != null) {
            keeper.accept(inner);
        }
        behindMlp.forEach(keeper);
    }

    /** The input of the activation. */
    Tensor beforeActivation() {
        return inner == null ? activated : inner;
    }

    /**
     * The inputs of attention.
     *
     * @param q [M, Q]
     * @param k [N, K]
     * @param v [N, K]
     * @param raw the heads before normalization; null: they are not normalized
     */
    record Heads(Tensor q, Tensor k, Tensor v, @Nullable Raw raw) {
        /** Heads of queries and of keys. */
        record Raw(NormalizedHeads q, NormalizedHeads k) {}

        void keep(Consumer<Tensor> keeper) {
            List.of(q, k, v).forEach(keeper);
            if (raw != null) {
                List.of(raw.q.before(), raw.q.rstd(), raw.k.before(), raw.k.rstd())
                        .forEach(keeper);
            }
        }
    }
}
