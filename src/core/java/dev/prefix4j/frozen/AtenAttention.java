package dev.prefix4j.frozen;

import dev.prefix4j.frozen.Operators.Attended;
import dev.prefix4j.frozen.Operators.AttentionGradients;
import dev.prefix4j.kernels.Attention;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.bytedeco.pytorch.DoubleOptional;
import org.bytedeco.pytorch.LongOptional;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.ScalarTypeOptional;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptional;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch;
import org.jspecify.annotations.Nullable;

/**
 * Attention with libtorch's operators, one sequence at a time.
 *
 * <p>S keys that a sequence sees besides its own T, H heads of queries, Hk of keys, D head width.
 */
final class AtenAttention {
    private AtenAttention() {}

    /** Rows {@code from} to {@code to} of x [N, count · D], by heads: [count, T, D]. */
    private static Tensor heads(Tensor x, int count, long from, long to) {
        return x.narrow(0, from, to - from)
                .reshape(to - from, count, x.size(1) / count)
                .transpose(0, 1);
    }

    private static Tensor queries(Packing packing, Tensor x, long from, long to) {
        return heads(x, packing.heads().queries(), from, to);
    }

    /** [H, T, D] to [T, H·D]. */
    private static Tensor merge(Tensor x) {
        return x.transpose(0, 1).reshape(x.size(1), x.size(0) * x.size(2));
    }

    /** Heads of keys [Hk, ...], repeated for the heads of queries that share each, [H, ...]. */
    private static Tensor spread(Attention.Heads heads, Tensor x) {
        return heads.queries() == heads.keys()
                ? x
                : x.repeat_interleave(heads.queries() / heads.keys(), new LongOptional(0), new LongOptional());
    }

    /** The gradient of {@link #spread}: [H, S, D] to [Hk, S, D]. */
    private static Tensor gathered(Attention.Heads heads, Tensor x) {
        return heads.queries() == heads.keys()
                ? x
                : torch.sum(
                        x.unflatten(0, new long[] {heads.keys(), heads.queries() / heads.keys()}),
                        new long[] {1},
                        false,
                        new ScalarTypeOptional());
    }

    /** The keys that a sequence sees, then its own, [H, S+T, D]; or the values. */
    private static Tensor behind(Packing packing, Tensor x, int sequence, boolean values) {
        long from = packing.offsets()[sequence];
        TensorVector parts = new TensorVector();
        for (Segment segment : packing.seen(sequence)) {
            Stored of = segment.keys();
            Tensor turn = segment.turn();
            Tensor part = (values ? of.values(packing.layer()) : of.keys(packing.layer()))
                    .narrow(0, segment.first(), segment.length());
            parts.push_back(
                    values || turn == null
                            ? part
                            : AtenHeads.turned(part, packing.heads().width(), turn.unsqueeze(0), true));
        }
        parts.push_back(x.narrow(0, from, packing.offsets()[sequence + 1] - from));
        Tensor all = parts.size() == 1 ? parts.get(0) : torch.cat(parts, 0); // [S+T, Hk·D]
        return spread(packing.heads(), heads(all, packing.heads().keys(), 0, all.size(0)));
    }

    /** Scores of a sequence, [H, queries, S+T]; minus infinity where a query must not attend. */
    private static Tensor scores(Packing packing, int sequence, Tensor q, Tensor k) {
        int from = (int) packing.firstQuery(sequence);
        int to = (int) packing.firstQuery(sequence + 1);
        int columns = (int) k.size(1);
        int own = columns - (int) (packing.offsets()[sequence + 1] - packing.offsets()[sequence]);
        byte[] hidden = new byte[(to - from) * columns];
        for (int row = from; row < to; row++) {
            int position = packing.position(sequence, row);
            int start = (row - from) * columns;
            for (Segment segment : packing.seen(sequence)) {
                Arrays.fill(hidden, start, start += segment.length(), (byte) (position < segment.from() ? 1 : 0));
            }
            Arrays.fill(hidden, start + position + 1, start + columns - own, (byte) 1);
        }
        Tensor mask = torch.tensor(hidden).view(to - from, columns).to(q.device(), torch.ScalarType.Bool);
        return torch.matmul(q, k.transpose(1, 2))
                .mul(new Scalar(packing.scale()))
                .masked_fill(mask, new Scalar(Double.NEGATIVE_INFINITY));
    }

    /** {@link Operators#attend}. */
    static Attended attend(Packing packing, Tensor q, Tensor k, Tensor v) {
        TensorVector ys = new TensorVector();
        TensorVector lses = new TensorVector();
        for (int b = 0; b < packing.sequences(); b++) {
            Tensor own = queries(packing, q, packing.firstQuery(b), packing.firstQuery(b + 1)); // [H, queries, D]
            Tensor scores = scores(packing, b, own, behind(packing, k, b, false));
            Tensor lse = torch.logsumexp(scores, new long[] {2}, true); // [H, queries, 1]
            ys.push_back(merge(torch.matmul(scores.sub(lse).exp(), behind(packing, v, b, true))));
            lses.push_back(lse.squeeze(2).transpose(0, 1));
        }
        return new Attended(torch.cat(ys, 0), torch.cat(lses, 0).contiguous());
    }

    /** {@link Operators#attendBackward}. */
    static void attendBackward(
            Packing packing, Tensor dy, Attended of, Tensor q, Tensor k, Tensor v, AttentionGradients gradients) {
        for (int b = 0; b < packing.sequences(); b++) {
            long from = packing.firstQuery(b);
            long to = packing.firstQuery(b + 1);
            Tensor own = queries(packing, q, from, to); // [H, queries, D]
            Tensor keys = behind(packing, k, b, false); // [H, S+T, D]
            Tensor values = behind(packing, v, b, true);
            Tensor lse = of.lse().narrow(0, from, to - from).transpose(0, 1).unsqueeze(2); // [H, queries, 1]
            Tensor p = scores(packing, b, own, keys).sub(lse).exp(); // [H, queries, S+T]
            Tensor d = queries(packing, dy, from, to); // [H, queries, D]
            Tensor delta = torch.sum(
                    d.mul(queries(packing, of.y(), from, to)), new long[] {2}, true, new ScalarTypeOptional());
            Tensor ds =
                    torch.matmul(d, values.transpose(1, 2)).sub(delta).mul(p).mul(new Scalar(packing.scale()));
            Tensor dk = gathered(packing.heads(), torch.matmul(ds.transpose(1, 2), own)); // [Hk, S+T, D]
            Tensor dv = gathered(packing.heads(), torch.matmul(p.transpose(1, 2), d));
            give(merge(dv), true, gradients.dv(), packing, b);
            give(merge(dk), false, gradients.dk(), packing, b);
            if (gradients.dq() != null) {
                gradients.dq().narrow(0, from, to - from).copy_(merge(torch.matmul(ds, keys)));
            }
        }
    }

    /** Adds a gradient [S+T, Hk·D] to that of what a sequence sees, and copies the part of its own rows to {@code rows}. */
    private static void give(Tensor gradient, boolean values, @Nullable Tensor rows, Packing packing, int sequence) {
        long start = 0;
        for (Segment segment : packing.seen(sequence)) {
            Stored of = segment.keys();
            if (of.gradient() != null) {
                Tensor to = values ? of.dValues(packing.layer()) : of.dKeys(packing.layer());
                Tensor turn = segment.turn();
                Tensor part = gradient.narrow(0, start, segment.length());
                to.narrow(0, segment.first(), segment.length())
                        .add_(
                                values || turn == null
                                        ? part
                                        : AtenHeads.turned(part, packing.heads().width(), turn.unsqueeze(0), false));
            }
            start += segment.length();
        }
        if (rows != null) {
            long from = packing.offsets()[sequence];
            long count = packing.offsets()[sequence + 1] - from;
            rows.narrow(0, from, count).copy_(gradient.narrow(0, start, count));
        }
    }

    /** {@link Operators#attendStep}. */
    static Tensor attendStep(Sight sight, Tensor q) {
        int rows = sight.rows();
        int longest = 0;
        for (int row = 0; row < rows; row++) {
            longest = Math.max(
                    longest, sight.seen(row).stream().mapToInt(Segment::length).sum());
        }
        Stored store = sight.seen(0).getFirst().keys();
        int[] index = new int[rows * longest];
        byte[] seen = new byte[rows * longest];
        int[] turn = new int[rows * longest];
        List<Tensor> turns = new ArrayList<>(); // from 1 on: 0 is none
        for (int row = 0; row < rows; row++) {
            int at = row * longest;
            for (Segment segment : sight.seen(row)) {
                if (segment.keys() != store) {
                    throw new IllegalArgumentException("attention: expected all segments in the same store");
                }
                if (segment.turn() != null) {
                    turns.add(segment.turn());
                    Arrays.fill(turn, at, at + segment.length(), turns.size());
                }
                for (int i = 0; i < segment.length(); i++, at++) {
                    index[at] = segment.first() + i;
                    seen[at] = 1;
                }
            }
        }
        Tensor places = torch.tensor(index).to(q.device(), torch.ScalarType.Int);
        Tensor mask = torch.tensor(seen).view(rows, 1, 1, longest).to(q.device(), torch.ScalarType.Bool);
        Tensor keys = torch.index_select(store.keys(sight.layer()), 0, places); // [R·S, Hk·D]
        if (!turns.isEmpty()) {
            keys = AtenHeads.turned(keys, sight.heads().width(), each(turns, turn), true);
        }
        Tensor values = torch.index_select(store.values(sight.layer()), 0, places);
        return torch.scaled_dot_product_attention(
                        q.reshape(rows, sight.heads().queries(), 1, -1), // [R, H, 1, D]
                        byRow(keys, sight),
                        byRow(values, sight),
                        new TensorOptional(mask),
                        0,
                        false,
                        new DoubleOptional(sight.scale()),
                        sight.heads().queries() != sight.heads().keys())
                .reshape(rows, -1);
    }

    /** The rotation of each key, [keys, R]. */
    private static Tensor each(List<Tensor> turns, int[] which) {
        Tensor none = torch.zeros_like(turns.getFirst());
        none.narrow(0, 0, none.size(0) / 2).fill_(new Scalar(1.0)); // cosines
        List<Tensor> all = new ArrayList<>(List.of(none));
        all.addAll(turns);
        Tensor index = torch.tensor(which).to(none.device(), torch.ScalarType.Int);
        return torch.index_select(torch.stack(new TensorVector(all.toArray(Tensor[]::new))), 0, index);
    }

    /** [R·S, Hk·D] as [R, Hk, S, D]. */
    private static Tensor byRow(Tensor x, Sight sight) {
        return x.view(sight.rows(), -1, sight.heads().keys(), sight.heads().width())
                .transpose(1, 2);
    }
}
