package dev.prefix4j.frozen;

import dev.prefix4j.frozen.Operators.Attended;
import dev.prefix4j.frozen.Operators.AttentionGradients;
import dev.prefix4j.frozen.Operators.Normalized;
import dev.prefix4j.frozen.Operators.NormalizedHeads;
import dev.prefix4j.model.Affine;
import dev.prefix4j.model.BlockWeights;
import dev.prefix4j.model.BlockWeights.NormWeights;
import dev.prefix4j.model.Extension;
import dev.prefix4j.model.Family;
import dev.prefix4j.model.ModelConfig;
import java.util.List;
import java.util.function.Consumer;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;

/**
 * A transformer block with explicit rules forward and back.
 *
 * <p>N rows, M of them asked for (all, save in the last block), E width, H heads of queries with Q columns, Hk of keys with K, F inner
 * width.
 *
 * @param extension asked for what comes out of each half; null: none
 * @param joined to queries, keys and values; null in the last block, where only some rows ask
 * @param queryNorm gain of the heads of queries, [D]; null: they are not normalized
 */
record FrozenBlock(
        ModelConfig config,
        Operators operators,
        Extension extension,
        Family.Block names,
        NormWeights norm1,
        Linear joined,
        Linear query,
        Linear keyValue,
        Tensor queryNorm,
        Tensor keyNorm,
        Linear attentionOutput,
        NormWeights norm2,
        Linear inner,
        Linear output) {

    /** @param last whether it is the last one of the model */
    static FrozenBlock of(
            ModelConfig config,
            Operators operators,
            Extension extension,
            BlockWeights weights,
            WeightForm form,
            boolean last) {
        List<Affine> inputs = weights.attentionInputs();
        long queries = config.attention().queryColumns();
        long keys = config.attention().keyColumns();
        return new FrozenBlock(
                config,
                operators,
                extension == Extension.NONE ? null : extension,
                weights.names(),
                weights.attentionNorm(),
                last ? null : form.linear(inputs),
                last ? form.linear(WeightForm.columns(inputs, 0, queries)) : null,
                last ? form.linear(WeightForm.columns(inputs, queries, 2 * keys)) : null,
                weights.queryNorm(),
                weights.keyNorm(),
                form.linear(weights.attentionOutput()),
                weights.mlpNorm(),
                form.linear(weights.mlpInputs()),
                form.linear(weights.mlpOutput()));
    }

    /**
     * What the way back needs.
     *
     * @param x [N, E], what came in
     * @param norm1 without its rows
     * @param heads what attention compared
     * @param middle [M, E], after attention
     * @param norm2 without its rows
     * @param activated of the activation, as {@link Operators.Activated} keeps it
     */
    record Saved(
            Tensor x,
            Normalized norm1,
            Heads heads,
            Attended attended,
            Tensor middle,
            Normalized norm2,
            Tensor activated) {
        /** Lets it outlive a scope; what came in is the caller's. */
        void keep(Consumer<Tensor> keeper) {
            norm1.keep(keeper);
            heads.keep(keeper);
            keeper.accept(attended.y());
            keeper.accept(attended.lse());
            keeper.accept(middle);
            norm2.keep(keeper);
            keeper.accept(activated);
        }
    }

    /**
     * What attention compares and gives.
     *
     * @param q [M, Q]
     * @param k [N, K]
     * @param v [N, K]
     * @param raw before heads were normalized; null: they were not
     */
    record Heads(Tensor q, Tensor k, Tensor v, Raw raw) {
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

    /**
     * What goes out, and what is kept.
     *
     * @param y [M, E]
     */
    record Result(Tensor y, Saved saved) {}

    /**
     * @param x [N, E]
     * @param asked int64 [M], rows that are asked for; null: all
     * @param turns null: no rotary positions
     */
    Result forward(Tensor x, Packing packing, Turns turns, Tensor asked) {
        Linear first = joined == null ? keyValue : joined;
        Normalized norm1 = operators.normalize(x, this.norm1, config.norm(), first.form());
        Heads heads = heads(norm1.rows(), turns, asked);
        Tensor residual = asked == null ? x : torch.index_select(x, 0, asked);
        Attended attended = operators.attend(packing, heads.q(), heads.k(), heads.v());
        Tensor middle = onto(residual, attentionOutput, attended.y(), names.attention()); // [M, E]
        Normalized norm2 = operators.normalize(middle, this.norm2, config.norm(), inner.form());
        Tensor h = inner.forward(norm2.rows(), null); // [M, F], or twice as many
        Operators.Activated activated = operators.activate(config.mlp(), h, output.form());
        Tensor y = onto(middle, output, activated.rows(), names.mlp()); // [M, E]
        return new Result(
                y, new Saved(x, norm1.withoutRows(), heads, attended, middle, norm2.withoutRows(), activated.kept()));
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
    Tensor step(Tensor x, Sight sight, Turns turns, Stored pool, Tensor places) {
        Linear first = joined == null ? keyValue : joined;
        Rows rows = operators.normalize(x, norm1, config.norm(), first.form()).rows();
        Heads heads = heads(rows, turns, null);
        pool.write(sight.layer(), places, heads.k(), heads.v());
        Tensor y = operators.attendStep(sight, heads.q()); // [R, Q]
        Tensor middle = onto(x, attentionOutput, y, names.attention());
        Rows norm2 = operators
                .normalize(middle, this.norm2, config.norm(), inner.form())
                .rows();
        Tensor h = inner.forward(norm2, null); // [R, F]
        return onto(
                middle,
                output,
                operators.activate(config.mlp(), h, output.form()).rows(),
                names.mlp());
    }

    /** Queries, keys and values, normalized and turned as the model does. */
    private Heads heads(Rows rows, Turns turns, Tensor asked) {
        long queries = config.attention().queryColumns();
        long keys = config.attention().keyColumns();
        Tensor q;
        Tensor kv;
        if (joined != null) {
            Tensor qkv = joined.forward(rows, null); // [N, Q + 2K]
            q = qkv.narrow(1, 0, queries);
            kv = qkv.narrow(1, queries, 2 * keys);
        } else {
            q = query.forward(asked == null ? rows : select(rows, asked), null);
            kv = keyValue.forward(rows, null);
        }
        Tensor k = kv.narrow(1, 0, keys);
        Tensor v = kv.narrow(1, keys, keys);
        Heads.Raw raw = null;
        if (queryNorm != null) {
            double epsilon = config.norm().epsilon();
            raw = new Heads.Raw(
                    operators.normalizeHeads(q, queryNorm, epsilon), operators.normalizeHeads(k, keyNorm, epsilon));
        }
        if (turns != null) {
            operators.rotate(q, config.headWidth(), asked == null ? turns.all() : turns.asked(), false);
            operators.rotate(k, config.headWidth(), turns.all(), false);
        }
        return new Heads(q, k, v, raw);
    }

    private Tensor onto(Tensor residual, Linear map, Tensor x, String half) {
        return onto(residual, map, operators.rows(x, map.form()), half);
    }

    /** Adds what comes out of a half of the block to the residual stream. */
    private Tensor onto(Tensor residual, Linear map, Rows rows, String half) {
        return extension == null
                ? map.forward(rows, residual)
                : residual.add(extension.half(half, map.forward(rows, null)));
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
    Tensor backward(Tensor dy, Saved saved, Packing packing, Turns turns, Tensor asked, boolean through) {
        Tensor dh = output.backward(operators.rows(dy, output.form()), null); // [M, F]
        Rows dInner = operators.activateBackward(config.mlp(), dh, saved.activated(), inner.form());
        Tensor dn = inner.backward(dInner, null); // [M, E]
        Tensor dMiddle = dy; // [M, E]; the residual: its gradient begins as dy
        operators.normalizeBackward(dn, saved.middle(), norm2, saved.norm2(), dMiddle);
        Tensor dAttended = attentionOutput.backward(operators.rows(dMiddle, attentionOutput.form()), null); // [M, Q]
        Heads heads = saved.heads();
        if (!through) {
            operators.attendBackward(
                    packing, dAttended, saved.attended(), heads.q(), heads.k(), heads.v(), AttentionGradients.NONE);
            return null;
        }
        long queries = config.attention().queryColumns();
        long keys = config.attention().keyColumns();
        Tensor dqkv = torch.empty(new long[] {heads.k().size(0), queries + 2 * keys}, dy.options(), null);
        Tensor dq = asked == null
                ? dqkv.narrow(1, 0, queries)
                : torch.empty_like(heads.q()).contiguous();
        Tensor dk = dqkv.narrow(1, queries, keys);
        Tensor dv = dqkv.narrow(1, queries + keys, keys);
        operators.attendBackward(
                packing,
                dAttended,
                saved.attended(),
                heads.q(),
                heads.k(),
                heads.v(),
                new AttentionGradients(dq, dk, dv));
        headsBackward(dq, dk, heads.raw(), turns, asked);
        Tensor dx;
        Tensor dn1;
        if (asked == null) {
            dn1 = joined.backward(operators.rows(dqkv, joined.form()), null); // [N, E]
            dx = dMiddle;
        } else {
            Tensor dkv = dqkv.narrow(1, queries, 2 * keys);
            dn1 = keyValue.backward(operators.rows(dkv, keyValue.form()), null);
            dn1.index_add_(0, asked, query.backward(operators.rows(dq, query.form()), null));
            dx = torch.zeros_like(saved.x()).index_add_(0, asked, dMiddle);
        }
        operators.normalizeBackward(dn1, saved.x(), norm1, saved.norm1(), dx);
        return dx;
    }

    /** In place, from what attention compares back to what the maps gave. */
    private void headsBackward(Tensor dq, Tensor dk, Heads.Raw raw, Turns turns, Tensor asked) {
        if (turns != null) {
            operators.rotate(dq, config.headWidth(), asked == null ? turns.all() : turns.asked(), true);
            operators.rotate(dk, config.headWidth(), turns.all(), true);
        }
        if (raw != null) {
            operators.normalizeHeadsBackward(dq, queryNorm, raw.q());
            operators.normalizeHeadsBackward(dk, keyNorm, raw.k());
        }
    }
}
