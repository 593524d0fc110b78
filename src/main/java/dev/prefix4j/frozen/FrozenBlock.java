package dev.prefix4j.frozen;

import dev.prefix4j.frozen.Operators.Attended;
import dev.prefix4j.frozen.Operators.AttentionGradients;
import dev.prefix4j.frozen.Operators.Normalized;
import dev.prefix4j.gpt2.Extension;
import dev.prefix4j.gpt2.Gpt2Config;
import dev.prefix4j.torch.TensorScope;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;

/**
 * A transformer block with explicit rules forward and back.
 *
 * <p>N rows, M of them asked for (all, save in the last block), E width, F inner width.
 *
 * @param extension asked for what comes out of each half; null: none
 * @param name of this block in a checkpoint
 * @param query the query part of {@code c_attn}
 * @param keyValue its key and value part
 * @param joined all of it; null in the last block, where only some rows ask
 */
record FrozenBlock(
        Gpt2Config config,
        Operators operators,
        Extension extension,
        String name,
        Tensor norm1Weight,
        Tensor norm1Bias,
        Linear joined,
        Linear query,
        Linear keyValue,
        Linear attentionProjection,
        Tensor norm2Weight,
        Tensor norm2Bias,
        Linear inner,
        Linear projection) {

    /**
     * What the way back needs.
     *
     * @param x [N, E], what came in
     * @param norm1 without its rows
     * @param q [M, E], a part of what {@code kv} is a part of, or on its own
     * @param kv [N, 2E]
     * @param middle [M, E], after attention
     * @param norm2 without its rows
     * @param activated of the activation, [M, F], as {@link Operators.Activated} keeps it
     */
    record Saved(
            Tensor x,
            Normalized norm1,
            Tensor q,
            Tensor kv,
            Attended attended,
            Tensor middle,
            Normalized norm2,
            Tensor activated) {
        /** Lets it outlive a scope. */
        void keep(TensorScope scope) {
            for (Tensor tensor : new Tensor[] {
                norm1.mean(),
                norm1.rstd(),
                q,
                kv,
                attended.y(),
                attended.lse(),
                middle,
                norm2.mean(),
                norm2.rstd(),
                activated
            }) {
                scope.keep(tensor);
            }
        }
    }

    /**
     * What goes out, and what is kept.
     *
     * @param y [M, E]
     */
    record Result(Tensor y, Saved saved) {}

    /**
     * @param x [N, E]
     * @param asked int64 [M], rows that are asked for; null: all
     */
    Result forward(Tensor x, Packing packing, Tensor asked) {
        long width = config.width();
        Normalized norm1 = operators.normalize(x, norm1Weight, norm1Bias, config.layerNormEpsilon());
        Tensor q;
        Tensor kv;
        Tensor residual;
        if (asked == null) {
            Tensor qkv = joined.forward(norm1.rows(), null); // [N, 3E]
            q = qkv.narrow(1, 0, width);
            kv = qkv.narrow(1, width, 2 * width);
            residual = x;
        } else {
            q = query.forward(select(norm1.rows(), asked), null);
            kv = keyValue.forward(norm1.rows(), null);
            residual = torch.index_select(x, 0, asked);
        }
        Attended attended = operators.attend(packing, q, kv.narrow(1, 0, width), kv.narrow(1, width, width));
        Tensor middle = onto(residual, attentionProjection, operators.rows(attended.y()), ".attn"); // [M, E]
        Normalized norm2 = operators.normalize(middle, norm2Weight, norm2Bias, config.layerNormEpsilon());
        Tensor h = inner.forward(norm2.rows(), null); // [M, F]
        Operators.Activated activated = operators.activate(config.activation(), h);
        Tensor y = onto(middle, projection, activated.rows(), ".mlp"); // [M, E]
        return new Result(
                y, new Saved(x, norm1.withoutRows(), q, kv, attended, middle, norm2.withoutRows(), activated.kept()));
    }

    /**
     * The new tokens of rows that are being decoded.
     *
     * @param x [R, E]
     * @param sight of the rows, their new tokens included
     * @param pool takes the new keys and values
     * @param places in it, int64 [R]
     * @return [R, E]
     */
    Tensor step(Tensor x, Sight sight, Stored pool, Tensor places) {
        long width = config.width();
        Rows rows = operators
                .normalize(x, norm1Weight, norm1Bias, config.layerNormEpsilon())
                .rows();
        Tensor q;
        Tensor kv;
        if (joined != null) {
            Tensor qkv = joined.forward(rows, null); // [R, 3E]
            q = qkv.narrow(1, 0, width);
            kv = qkv.narrow(1, width, 2 * width);
        } else {
            q = query.forward(rows, null);
            kv = keyValue.forward(rows, null);
        }
        pool.write(sight.layer(), places, kv);
        Tensor y = operators.attendStep(sight, q); // [R, E]
        Tensor middle = onto(x, attentionProjection, operators.rows(y), ".attn");
        Rows norm2 = operators
                .normalize(middle, norm2Weight, norm2Bias, config.layerNormEpsilon())
                .rows();
        Tensor h = inner.forward(norm2, null); // [R, F]
        return onto(
                middle, projection, operators.activate(config.activation(), h).rows(), ".mlp");
    }

    /** Adds what comes out of a half of the block to the residual stream. */
    private Tensor onto(Tensor residual, Linear map, Rows rows, String half) {
        return extension == null
                ? map.forward(rows, residual)
                : residual.add(extension.half(name + half, map.forward(rows, null)));
    }

    private static Rows select(Rows rows, Tensor index) {
        return switch (rows) {
            case Rows.Float32(Tensor x) -> new Rows.Float32(torch.index_select(x, 0, index));
            case Rows.Int8(Tensor q, Tensor scale, Tensor sum) ->
                new Rows.Int8(
                        torch.index_select(q, 0, index),
                        torch.index_select(scale, 0, index),
                        torch.index_select(sum, 0, index));
        };
    }

    /**
     * The way back.
     *
     * @param dy [M, E], with respect to what went out; used up
     * @param asked as in {@link #forward}
     * @param through whether the gradient with respect to what came in is wanted, and not only that of what is seen
     * @return [N, E], or null
     */
    Tensor backward(Tensor dy, Saved saved, Packing packing, Tensor asked, boolean through) {
        long width = config.width();
        Tensor dh = projection.backward(operators.rows(dy), null); // [M, F]
        Tensor dn =
                inner.backward(operators.activateBackward(config.activation(), dh, saved.activated()), null); // [M, E]
        Tensor dMiddle = dy; // [M, E]; the residual: its gradient begins as dy
        operators.normalizeBackward(dn, saved.middle(), norm2Weight, saved.norm2(), dMiddle);
        Tensor dAttended = attentionProjection.backward(operators.rows(dMiddle), null); // [M, E]
        Tensor k = saved.kv().narrow(1, 0, width);
        Tensor v = saved.kv().narrow(1, width, width);
        if (!through) {
            operators.attendBackward(packing, dAttended, saved.attended(), saved.q(), k, v, AttentionGradients.NONE);
            return null;
        }
        Tensor dqkv = torch.empty(new long[] {k.size(0), 3 * width}, dy.options(), null);
        Tensor dq = asked == null ? dqkv.narrow(1, 0, width) : torch.empty_like(dy);
        Tensor dkv = dqkv.narrow(1, width, 2 * width);
        operators.attendBackward(
                packing,
                dAttended,
                saved.attended(),
                saved.q(),
                k,
                v,
                new AttentionGradients(dq, dkv.narrow(1, 0, width), dkv.narrow(1, width, width)));
        Tensor dx;
        Tensor dn1;
        if (asked == null) {
            dn1 = joined.backward(operators.rows(dqkv), null); // [N, E]
            dx = dMiddle;
        } else {
            dn1 = keyValue.backward(operators.rows(dkv), null);
            dn1.index_add_(0, asked, query.backward(operators.rows(dq), null));
            dx = torch.zeros_like(saved.x()).index_add_(0, asked, dMiddle);
        }
        operators.normalizeBackward(dn1, saved.x(), norm1Weight, saved.norm1(), dx);
        return dx;
    }
}
