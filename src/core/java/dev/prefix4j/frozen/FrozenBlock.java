package dev.prefix4j.frozen;

import dev.prefix4j.frozen.Extended.Part;
import dev.prefix4j.frozen.Operators.Activated;
import dev.prefix4j.frozen.Operators.Attended;
import dev.prefix4j.frozen.Operators.AttentionGradients;
import dev.prefix4j.frozen.Operators.Normalized;
import dev.prefix4j.frozen.Saved.Heads;
import dev.prefix4j.model.Affine;
import dev.prefix4j.model.BlockWeights;
import dev.prefix4j.model.BlockWeights.NormWeights;
import dev.prefix4j.model.Family;
import dev.prefix4j.model.ModelConfig;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Supplier;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch;
import org.jspecify.annotations.Nullable;

/**
 * A transformer block with explicit forward and backward rules.
 *
 * <p>N rows, M of them requested (all, except in the last block), E width, H heads of queries with Q columns, Hk of keys with K, F
 * inner width.
 *
 * @param inputs to queries, keys and values
 * @param queryNorm gain of the normalization of query heads, [D]; null: none
 * @param keyNorm gain of the normalization of key heads, [D]; null: none
 */
record FrozenBlock(
        ModelConfig config,
        Operators operators,
        Family.Block names,
        NormWeights norm1,
        Inputs inputs,
        @Nullable Tensor queryNorm,
        @Nullable Tensor keyNorm,
        BlockMap attentionOutput,
        NormWeights norm2,
        BlockMap inner,
        BlockMap output) {
    /** The maps to queries, keys and values. */
    sealed interface Inputs {
        /** One map to all of them. */
        record Joined(BlockMap map) implements Inputs {}

        /** Separate maps, in the last block, where only some rows have queries. */
        record Apart(BlockMap query, BlockMap keyValue) implements Inputs {}
    }

    /** @param last whether it is the last one of the model */
    static FrozenBlock of(
            ModelConfig config, Operators operators, BlockWeights weights, WeightForm form, boolean last) {
        List<Affine> inputs = weights.attentionInputs();
        long queries = config.attention().queryColumns();
        long keys = config.attention().keyColumns();
        return new FrozenBlock(
                config,
                operators,
                weights.names(),
                weights.attentionNorm(),
                last
                        ? new Inputs.Apart(
                                BlockMap.of(inputs, 0, queries, form, operators),
                                BlockMap.of(inputs, queries, 2 * keys, form, operators))
                        : new Inputs.Joined(BlockMap.of(inputs, form, operators)),
                weights.queryNorm(),
                weights.keyNorm(),
                BlockMap.of(List.of(weights.attentionOutput()), form, operators),
                weights.mlpNorm(),
                BlockMap.of(weights.mlpInputs(), form, operators),
                BlockMap.of(List.of(weights.mlpOutput()), form, operators));
    }

    /**
     * The output, and what is kept for the backward pass.
     *
     * @param y [M, E]
     */
    record Result(Tensor y, Saved saved) {}

    /**
     * The residual stream after a half of the block.
     *
     * @param y [M, E]
     * @param outputs for each part with a network behind the half, the network's input
     */
    private record Half(Tensor y, List<Tensor> outputs) {}

    /** @param x [N, E] */
    Result forward(Tensor x, BlockRows rows) {
        Extended asked = rows.extendedOfAsked();
        Normalized norm1 = operators.normalize(x, this.norm1, config.norm(), inputForm());
        Heads heads = heads(norm1.rows(), x, rows);
        Attended attended = operators.attend(rows.sequences(), heads.q(), heads.k(), heads.v());
        Half attention = onto(rows.select(x), attentionOutput, attended.y(), names.attention(), asked); // [M, E]
        Tensor middle = attention.y();
        Normalized norm2 = operators.normalize(middle, this.norm2, config.norm(), inner.form());
        Tensor h = inner.forward(norm2.rows(), () -> normalized(middle, this.norm2), null, asked); // [M, F] or [M, 2F]
        Activated activated = operators.activate(config.mlp(), h, output.form());
        Half mlp = onto(middle, output, activated.rows(), () -> activated(h), names.mlp(), asked); // [M, E]
        boolean apart = Activated.isSlope(activated.kept()) && output.changed(asked);
        return new Result(
                mlp.y(),
                new Saved(
                        x,
                        norm1.moments(),
                        heads,
                        attended,
                        attention.outputs(),
                        middle,
                        norm2.moments(),
                        activated.kept(),
                        apart ? h : null,
                        mlp.outputs()));
    }

    /**
     * The forward pass for the new tokens of rows that are being decoded.
     *
     * @param x [R, E]
     * @param sight of the rows, their new tokens included
     * @param pool receives the new keys and values
     * @param places in the pool, int64 [R]
     * @return [R, E]
     */
    Tensor step(Tensor x, Sight sight, @Nullable Turns turns, Stored pool, Tensor places, Extended extended) {
        Rows first = operators.normalize(x, norm1, config.norm(), inputForm()).rows();
        Heads heads = heads(first, x, new BlockRows(null, turns, null, extended));
        pool.write(sight.layer(), places, heads.k(), heads.v());
        Tensor seen = operators.attendStep(sight, heads.q()); // [R, Q]
        Tensor middle =
                onto(x, attentionOutput, seen, names.attention(), extended).y();
        Rows second =
                operators.normalize(middle, norm2, config.norm(), inner.form()).rows();
        Tensor h = inner.forward(second, () -> normalized(middle, norm2), null, extended); // [R, F]
        Rows activated = operators.activate(config.mlp(), h, output.form()).rows();
        return onto(middle, output, activated, () -> activated(h), names.mlp(), extended)
                .y();
    }

    private boolean inputsChanged(Extended extended) {
        return switch (inputs) {
            case Inputs.Joined(BlockMap map) -> map.changed(extended);
            case Inputs.Apart(BlockMap query, BlockMap keyValue) ->
                query.changed(extended) || keyValue.changed(extended);
        };
    }

    private Precision inputForm() {
        return switch (inputs) {
            case Inputs.Joined(BlockMap map) -> map.form();
            case Inputs.Apart(BlockMap _, BlockMap keyValue) -> keyValue.form();
        };
    }

    /** Queries, keys and values, normalized and rotated as the model does. */
    private Heads heads(Rows normalized, Tensor x, BlockRows rows) {
        Supplier<Tensor> floats = () -> normalized(x, norm1);
        long queries = config.attention().queryColumns();
        long keys = config.attention().keyColumns();
        Tensor q;
        Tensor kv;
        switch (inputs) {
            case Inputs.Joined(BlockMap map) -> {
                Tensor qkv = map.forward(normalized, floats, null, rows.extended()); // [N, Q + 2K]
                q = qkv.narrow(1, 0, queries);
                kv = qkv.narrow(1, queries, 2 * keys);
            }
            case Inputs.Apart(BlockMap query, BlockMap keyValue) -> {
                q = query.forward(
                        rows.select(normalized), () -> rows.select(floats.get()), null, rows.extendedOfAsked());
                kv = keyValue.forward(normalized, floats, null, rows.extended());
            }
        }
        Tensor k = kv.narrow(1, 0, keys);
        Tensor v = kv.narrow(1, keys, keys);
        Heads.Raw raw = null;
        if (queryNorm != null && keyNorm != null) {
            double epsilon = config.norm().epsilon();
            raw = new Heads.Raw(
                    operators.normalizeHeads(q, queryNorm, epsilon), operators.normalizeHeads(k, keyNorm, epsilon));
        }
        Turns turns = rows.turns();
        if (turns != null) {
            operators.rotate(q, config.headWidth(), rows.ofAsked(turns), false);
            operators.rotate(k, config.headWidth(), turns.all(), false);
        }
        return new Heads(q, k, v, raw);
    }

    private Half onto(Tensor residual, BlockMap map, Tensor x, String half, Extended extended) {
        return onto(residual, map, operators.rows(x, map.form()), () -> x, half, extended);
    }

    /**
     * Adds the output of a half of the block to the residual stream.
     *
     * @param floats the rows before they were rounded
     */
    private Half onto(Tensor residual, BlockMap map, Rows x, Supplier<Tensor> floats, String half, Extended extended) {
        List<Part> parts = extended.behind(half);
        boolean all = parts.stream().anyMatch(part -> part.rows() == null);
        Tensor sum = all ? residual : map.forward(x, floats, residual, extended); // if all, its part replaces it
        List<Tensor> outputs = new ArrayList<>();
        for (Part part : parts) {
            Rows own = part.rows() == null ? x : x.select(part.rows());
            Tensor y = map.forward(own, () -> part.select(floats.get()), null, extended.within(part)); // [n, E]
            sum = part.place(sum, part.select(residual).add(extended.network(part, half, y)));
            outputs.add(y);
        }
        return new Half(sum, outputs);
    }

    /**
     * The backward pass through the networks behind a half.
     *
     * @param d [M, E], not modified
     * @param outputs of the half, as {@link Half} has them
     */
    private Tensor behind(String half, Tensor d, List<Tensor> outputs, Extended extended) {
        List<Part> parts = extended.behind(half);
        Tensor result = parts.isEmpty() || parts.getFirst().rows() == null ? d : d.clone();
        for (int i = 0; i < parts.size(); i++) {
            Part part = parts.get(i);
            result = part.place(result, extended.networkBackward(part, half, outputs.get(i), part.select(d)));
        }
        return result;
    }

    /**
     * The backward pass.
     *
     * @param dy [M, E], with respect to the output; overwritten
     * @param rows as in {@link #forward}
     * @param through whether the gradient with respect to the input is wanted too, and not only those of what is seen and put in
     * @param own gradients of the rows' own keys and values from other rows that saw them; null: none
     * @return [N, E]; null: not wanted
     */
    @Nullable
    Tensor backward(Tensor dy, Saved saved, BlockRows rows, boolean through, @Nullable KeyGradients own) {
        Extended asked = rows.extendedOfAsked();
        Tensor dMlp = behind(names.mlp(), dy, saved.behindMlp(), asked); // [M, E]
        Tensor dh = output.backward(dMlp, () -> activated(saved.beforeActivation()), asked); // [M, F]
        Tensor dn = innerBackward(dh, saved, asked); // [M, E]
        Tensor dMiddle = dy; // [M, E]; the residual: its gradient begins as dy
        operators.normalizeBackward(dn, saved.middle(), norm2, saved.norm2(), dMiddle);
        Tensor dHalf = behind(names.attention(), dMiddle, saved.behindAttention(), asked); // [M, E]
        Tensor dAttended =
                attentionOutput.backward(dHalf, () -> saved.attended().y(), asked); // [M, Q]
        Heads heads = saved.heads();
        if (!through && !inputsChanged(rows.extended())) {
            attendBackward(rows, dAttended, saved, AttentionGradients.NONE);
            return null;
        }
        long queries = config.attention().queryColumns();
        long keys = config.attention().keyColumns();
        Tensor dqkv = torch.empty(new long[] {heads.k().size(0), queries + 2 * keys}, dy.options(), null);
        Tensor dq = rows.asked() == null
                ? dqkv.narrow(1, 0, queries)
                : torch.empty_like(heads.q()).contiguous();
        Tensor dk = dqkv.narrow(1, queries, keys);
        Tensor dv = dqkv.narrow(1, queries + keys, keys);
        attendBackward(rows, dAttended, saved, new AttentionGradients(dq, dk, dv));
        if (own != null) {
            dk.add_(own.dk());
            dv.add_(own.dv());
        }
        keysBackward(dk, heads, rows);
        queriesBackward(dq, heads, rows);
        return switch (inputs) {
            case Inputs.Joined(BlockMap map) -> inputsBackward(map, dqkv, dMiddle, saved, rows, through);
            case Inputs.Apart maps ->
                inputsBackward(maps, dq, dqkv.narrow(1, queries, 2 * keys), dMiddle, saved, rows, through);
        };
    }

    /** Backward through the activation and the map before it: from [M, F], which is overwritten, to [M, E]. */
    private Tensor innerBackward(Tensor dh, Saved saved, Extended asked) {
        Tensor floats = inner.form() == Precision.FP32 || !inner.changed(asked)
                ? null
                : ((Rows.Float32)
                                operators.activateBackward(config.mlp(), dh.clone(), saved.activated(), Precision.FP32))
                        .x();
        Rows dInner = operators.activateBackward(config.mlp(), dh, saved.activated(), inner.form());
        return inner.backward(dInner, floats, () -> normalized(saved.middle(), norm2), asked);
    }

    private void attendBackward(BlockRows rows, Tensor dAttended, Saved saved, AttentionGradients gradients) {
        Heads heads = saved.heads();
        operators.attendBackward(
                rows.sequences(), dAttended, saved.attended(), heads.q(), heads.k(), heads.v(), gradients);
    }

    /**
     * Gradients of a block's keys and values.
     *
     * @param dk [N, K], as attention uses them
     * @param dv [N, K]
     */
    record KeyGradients(Tensor dk, Tensor dv) {}

    /** The backward pass through the last block when its output is not used: from keys and values only, to [N, E]. */
    Tensor backward(KeyGradients own, Saved saved, BlockRows rows) {
        if (!(inputs instanceof Inputs.Apart(BlockMap _, BlockMap keyValue))) {
            throw new IllegalStateException("block: expected the last one");
        }
        Tensor dkv = torch.cat(new TensorVector(own.dk(), own.dv()), 1); // [N, 2K]
        keysBackward(dkv.narrow(1, 0, own.dk().size(1)), saved.heads(), rows);
        Tensor dn = keyValue.backward(dkv, () -> normalized(saved.x(), norm1), rows.extended());
        Tensor dx = torch.zeros_like(saved.x());
        operators.normalizeBackward(dn, saved.x(), norm1, saved.norm1(), dx);
        return dx;
    }

    /** From queries, keys and values of all rows, from a joined map; null if the gradient of the input is not wanted. */
    private @Nullable Tensor inputsBackward(
            BlockMap map, Tensor dqkv, Tensor dMiddle, Saved saved, BlockRows rows, boolean through) {
        Supplier<Tensor> floats = () -> normalized(saved.x(), norm1);
        if (!through) {
            map.changesBackward(dqkv, floats, rows.extended());
            return null;
        }
        Tensor dn = map.backward(dqkv, floats, rows.extended()); // [N, E]
        operators.normalizeBackward(dn, saved.x(), norm1, saved.norm1(), dMiddle);
        return dMiddle;
    }

    /** From queries of the requested rows and keys and values of all; null if the gradient of the input is not wanted. */
    private @Nullable Tensor inputsBackward(
            Inputs.Apart maps, Tensor dq, Tensor dkv, Tensor dMiddle, Saved saved, BlockRows rows, boolean through) {
        Supplier<Tensor> floats = () -> normalized(saved.x(), norm1);
        Supplier<Tensor> ofAsked = () -> rows.select(floats.get());
        if (!through) {
            maps.keyValue().changesBackward(dkv, floats, rows.extended());
            maps.query().changesBackward(dq, ofAsked, rows.extendedOfAsked());
            return null;
        }
        Tensor dn = maps.keyValue().backward(dkv, floats, rows.extended()); // [N, E]
        Tensor dnOfAsked = maps.query().backward(dq, ofAsked, rows.extendedOfAsked()); // [M, E]
        Tensor dx = dMiddle;
        if (rows.asked() == null) {
            dn.add_(dnOfAsked);
        } else {
            dn.index_add_(0, rows.asked(), dnOfAsked);
            dx = torch.zeros_like(saved.x()).index_add_(0, rows.asked(), dMiddle);
        }
        operators.normalizeBackward(dn, saved.x(), norm1, saved.norm1(), dx);
        return dx;
    }

    /** In place, from the inputs of attention back to the outputs of the maps. */
    private void keysBackward(Tensor dk, Heads heads, BlockRows rows) {
        if (rows.turns() != null) {
            Tensor turns = rows.turns().all();
            operators.rotate(dk, config.headWidth(), turns, true);
        }
        if (heads.raw() != null && keyNorm != null) {
            operators.normalizeHeadsBackward(dk, keyNorm, heads.raw().k());
        }
    }

    private void queriesBackward(Tensor dq, Heads heads, BlockRows rows) {
        if (rows.turns() != null) {
            Tensor turns = rows.ofAsked(rows.turns());
            operators.rotate(dq, config.headWidth(), turns, true);
        }
        if (heads.raw() != null && queryNorm != null) {
            operators.normalizeHeadsBackward(dq, queryNorm, heads.raw().q());
        }
    }

    /** The activation of h, float32 [M, F]. */
    private Tensor activated(Tensor h) {
        return ((Rows.Float32)
                        operators.activate(config.mlp(), h, Precision.FP32).rows())
                .x();
    }

    /** Normalized rows, recomputed in float32. */
    private Tensor normalized(Tensor x, NormWeights norm) {
        return ((Rows.Float32) operators
                        .normalize(x, norm, config.norm(), Precision.FP32)
                        .rows())
                .x();
    }
}
