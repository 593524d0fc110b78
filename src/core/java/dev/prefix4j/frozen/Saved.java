package dev.prefix4j.frozen;

import dev.prefix4j.frozen.Operators.Attended;
import dev.prefix4j.frozen.Operators.Moments;
import dev.prefix4j.frozen.Operators.NormalizedHeads;
import java.util.List;
import java.util.function.Consumer;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * What the way back through a block needs.
 *
 * <p>N rows, M of them asked for, E width, Q columns of queries, K of keys, F inner width.
 *
 * @param x [N, E], what came in
 * @param norm1 of the normalization before attention
 * @param heads what attention compared
 * @param behindAttention of each part with a network behind attention, what went into that
 * @param middle [M, E], after attention
 * @param norm2 of the normalization after attention
 * @param activated of the activation, as {@link Operators.Activated} keeps it
 * @param inner what went into the activation, [M, F] or twice as many, where what was kept of it does not say and the map behind it
 *     is changed; otherwise null
 * @param behindMlp as behindAttention
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
    /** Lets it outlive a scope; what came in is the caller's. */
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

    /** What went into the activation. */
    Tensor beforeActivation() {
        return inner == null ? activated : inner;
    }

    /**
     * What attention compares.
     *
     * @param q [M, Q]
     * @param k [N, K]
     * @param v [N, K]
     * @param raw before heads were normalized; null: they were not
     */
    record Heads(Tensor q, Tensor k, Tensor v, @Nullable Raw raw) {
        /** Of queries and of keys. */
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
