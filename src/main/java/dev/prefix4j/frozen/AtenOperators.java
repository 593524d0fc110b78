package dev.prefix4j.frozen;

import dev.prefix4j.kernels.Attention;
import dev.prefix4j.model.Activation;
import dev.prefix4j.model.BlockWeights.NormWeights;
import dev.prefix4j.model.ModelConfig.Mlp;
import dev.prefix4j.model.ModelConfig.Norm;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.bytedeco.pytorch.DoubleOptional;
import org.bytedeco.pytorch.LongOptional;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.ScalarOptional;
import org.bytedeco.pytorch.ScalarTypeOptional;
import org.bytedeco.pytorch.T_TensorTensorTensor_T;
import org.bytedeco.pytorch.T_TensorTensor_T;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptional;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch;

/** The operators as compositions of libtorch's: for every device, and what {@link NativeOperators} is tested against. */
record AtenOperators() implements Operators {
    /** Largest magnitude of an 8-bit number in use: symmetric, so that negation is exact. */
    private static final double LARGEST = 127;

    /** Of {@code quick_gelu}, x·σ(1.702 x). */
    private static final double QUICK = 1.702;

    /** Derivatives of activation functions in 8 bits are from -0.13 to 1.13, which holds those of all that there are. */
    private static final double SLOPE_LOW = 0.13;

    private static final double SLOPE_STEP = 1.26 / 255;

    @Override
    public Normalized normalize(Tensor x, NormWeights weights, Norm how, Precision form) {
        return switch (how.kind()) {
            case LAYER -> {
                T_TensorTensorTensor_T result = torch.native_layer_norm(
                        x,
                        new long[] {x.size(1)},
                        new TensorOptional(weights.weight()),
                        new TensorOptional(weights.bias()),
                        how.epsilon());
                Tensor y = result.get0().detach(); // of its own: the tuple's tensor goes with the tuple
                yield new Normalized(
                        rows(y, form), result.get1().view(-1), result.get2().view(-1));
            }
            case RMS -> {
                Tensor rstd = rstd(x, how.epsilon()); // [N, 1]
                yield new Normalized(rows(x.mul(rstd).mul(weights.weight()), form), null, rstd.view(-1));
            }
        };
    }

    /** One by the root of the mean square over the last dimension, which stays as 1. */
    private static Tensor rstd(Tensor x, double epsilon) {
        return torch.rsqrt(mean(x.mul(x)).add(new Scalar(epsilon)));
    }

    @Override
    public void normalizeBackward(Tensor dy, Tensor x, NormWeights weights, Normalized of, Tensor dx) {
        Tensor rstd = of.rstd().unsqueeze(1); // [N, 1]
        Tensor g = dy.mul(weights.weight()); // [N, E]
        if (of.mean() == null) {
            dx.add_(rmsBackward(g, x, rstd));
            return;
        }
        Tensor normal = x.sub(of.mean().unsqueeze(1)).mul(rstd); // [N, E]
        Tensor along = mean(g.mul(normal));
        dx.add_(g.sub(mean(g)).sub(normal.mul(along)).mul(rstd));
    }

    /** @param g gradient of x times rstd */
    private static Tensor rmsBackward(Tensor g, Tensor x, Tensor rstd) {
        Tensor normal = x.mul(rstd);
        return g.sub(normal.mul(mean(g.mul(normal)))).mul(rstd);
    }

    @Override
    public NormalizedHeads normalizeHeads(Tensor x, Tensor weight, double epsilon) {
        Tensor before = x.clone();
        Tensor heads = heads(before, weight.size(0)); // [N, heads, D]
        Tensor rstd = rstd(heads, epsilon); // [N, heads, 1]
        x.copy_(heads.mul(rstd).mul(weight).reshape(x.size(0), x.size(1)));
        return new NormalizedHeads(before, rstd.squeeze(2));
    }

    @Override
    public void normalizeHeadsBackward(Tensor dy, Tensor weight, NormalizedHeads of) {
        Tensor g = heads(dy, weight.size(0)).mul(weight); // [N, heads, D]
        Tensor dx = rmsBackward(g, heads(of.before(), weight.size(0)), of.rstd().unsqueeze(2));
        dy.copy_(dx.reshape(dy.size(0), dy.size(1)));
    }

    /** [N, heads · D] as [N, heads, D]. */
    private static Tensor heads(Tensor x, long width) {
        return x.unflatten(1, new long[] {x.size(1) / width, width});
    }

    @Override
    public void rotate(Tensor x, int width, Tensor turns, boolean back) {
        x.copy_(turned(x, width, turns, back));
    }

    /** x [N, heads · D], turned by turns [N, R] or [1, R]. */
    private static Tensor turned(Tensor x, long width, Tensor turns, boolean back) {
        long half = turns.size(1) / 2;
        Tensor heads = heads(x, width); // [N, heads, D]
        Tensor cosine = turns.narrow(1, 0, half).unsqueeze(1); // [N, 1, R/2]
        Tensor sine = turns.narrow(1, half, half).unsqueeze(1);
        Tensor a = heads.narrow(2, 0, half);
        Tensor b = heads.narrow(2, half, half);
        Tensor across = back ? sine.neg() : sine;
        TensorVector parts =
                new TensorVector(a.mul(cosine).sub(b.mul(across)), b.mul(cosine).add(a.mul(across)));
        if (width > 2 * half) {
            parts.push_back(heads.narrow(2, 2 * half, width - 2 * half));
        }
        return torch.cat(parts, 2).reshape(x.size(0), x.size(1));
    }

    /** Over the last dimension, which stays as 1. */
    private static Tensor mean(Tensor x) {
        return torch.mean(x, new long[] {-1}, true, new ScalarTypeOptional());
    }

    @Override
    public Activated activate(Mlp how, Tensor h, Precision form) {
        if (how.gated()) {
            Tensor y = how.activation().of(gates(h)).mul_(values(h));
            return new Activated(rows(y, form), h);
        }
        Rows rows = rows(how.activation().of(h), form);
        return new Activated(
                rows,
                switch (form) {
                    case FP32 -> h;
                    case INT8 -> slope(how.activation(), h);
                });
    }

    /** The first half of [N, 2F]. */
    private static Tensor gates(Tensor h) {
        return h.narrow(1, 0, h.size(1) / 2);
    }

    /** The second half of [N, 2F]. */
    private static Tensor values(Tensor h) {
        return h.narrow(1, h.size(1) / 2, h.size(1) / 2);
    }

    /** The derivative of the activation function in 8 bits. */
    static Tensor slope(Activation function, Tensor h) {
        return gradient(function, torch.ones_like(h), h)
                .add_(new Scalar(SLOPE_LOW))
                .div_(new Scalar(SLOPE_STEP))
                .round_()
                .to(torch.ScalarType.Byte);
    }

    private static Tensor gradient(Activation function, Tensor dy, Tensor h) {
        return switch (function) {
            case GELU_TANH -> torch.gelu_backward(dy, h, "tanh");
            case GELU -> torch.gelu_backward(dy, h, "none");
            case QUICK_GELU -> torch.silu_backward(dy, h.mul(new Scalar(QUICK))); // silu(Q h) / Q: the same slope
            case RELU -> torch.threshold_backward(dy, h, new Scalar(0.0));
            case SILU -> torch.silu_backward(dy, h);
            case TANH -> torch.tanh_backward(dy, torch.tanh(h));
        };
    }

    @Override
    public Rows activateBackward(Mlp how, Tensor dy, Tensor kept, Precision form) {
        if (how.gated()) {
            Tensor dGates = gradient(how.activation(), dy.mul(values(kept)), gates(kept));
            Tensor dValues = dy.mul(how.activation().of(gates(kept)));
            return rows(torch.cat(new TensorVector(dGates, dValues), 1), form);
        }
        return rows(
                Activated.isSlope(kept)
                        ? dy.mul_(kept.to(torch.ScalarType.Float)
                                .mul_(new Scalar(SLOPE_STEP))
                                .sub_(new Scalar(SLOPE_LOW)))
                        : gradient(how.activation(), dy, kept),
                form);
    }

    @Override
    public Tensor multiply(Tensor x, Tensor w, Tensor bias) {
        return Linear.Float32.multiply(new Rows.Float32(x), w, bias, null, null);
    }

    @Override
    public Rows rows(Tensor x, Precision form) {
        return switch (form) {
            case FP32 -> new Rows.Float32(x);
            case INT8 -> quantize(x);
        };
    }

    @Override
    public Split split(Tensor x) {
        Rows.Int8 coarse = quantize(x);
        Tensor held = coarse.q()
                .narrow(1, 0, x.size(1))
                .to(torch.ScalarType.Float)
                .mul_(coarse.scale().unsqueeze(1));
        return new Split(coarse, quantize(x.sub(held)));
    }

    /** Row-wise, as {@link Rows.Int8} says. */
    static Rows.Int8 quantize(Tensor x) {
        Tensor scale = x.abs().amax(new long[] {1}, false).div(new Scalar(LARGEST)); // [N]
        Tensor inverse = torch.where(scale.gt(new Scalar(0.0)), scale.reciprocal(), torch.zeros_like(scale));
        Tensor q = x.mul(inverse.unsqueeze(1)).round().to(torch.ScalarType.Char); // [N, K]
        long rest = Math.floorMod(-x.size(1), 4L);
        if (rest > 0) {
            q = torch.constant_pad_nd(q, new long[] {0, rest}, new Scalar(0.0));
        }
        return new Rows.Int8(
                q, scale, torch.sum(q, new long[] {1}, false, new ScalarTypeOptional(torch.ScalarType.Int)));
    }

    /** Columns of x [N, count · D] by heads: rows from to to, [count, T, D]. */
    private static Tensor heads(Tensor x, int count, long from, long to) {
        return x.narrow(0, from, to - from)
                .reshape(to - from, count, x.size(1) / count)
                .transpose(0, 1);
    }

    private static Tensor queries(Packing packing, Tensor x, long from, long to) {
        return heads(x, packing.heads().queries(), from, to);
    }

    /** From [H, T, D] to [T, H·D]. */
    private static Tensor merge(Tensor x) {
        return x.transpose(0, 1).reshape(x.size(1), x.size(0) * x.size(2));
    }

    /** Heads of keys [Hk, ...] for the heads of queries that each serves, [H, ...]. */
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

    /** Keys of a sequence behind those that it sees, [H, S+T, D]; or its values. */
    private static Tensor behind(Packing packing, Tensor x, int sequence, boolean values) {
        long from = packing.offsets()[sequence];
        TensorVector parts = new TensorVector();
        for (Segment segment : packing.seen(sequence)) {
            Stored of = segment.keys();
            Tensor part = (values ? of.values(packing.layer()) : of.keys(packing.layer()))
                    .narrow(0, segment.first(), segment.length());
            parts.push_back(
                    values || segment.turn() == null
                            ? part
                            : turned(
                                    part,
                                    packing.heads().width(),
                                    segment.turn().unsqueeze(0),
                                    true));
        }
        parts.push_back(x.narrow(0, from, packing.offsets()[sequence + 1] - from));
        Tensor all = parts.size() == 1 ? parts.get(0) : torch.cat(parts, 0); // [S+T, Hk·D]
        return spread(packing.heads(), heads(all, packing.heads().keys(), 0, all.size(0)));
    }

    /** Scores of a sequence, [H, queries, S+T]; minus infinity where a query must not look. */
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

    @Override
    public Attended attend(Packing packing, Tensor q, Tensor k, Tensor v) {
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

    @Override
    public void attendBackward(
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

    /** Splits a gradient [S+T, Hk·D] between what a sequence sees and its own rows. */
    private static void give(Tensor gradient, boolean values, Tensor rows, Packing packing, int sequence) {
        long start = 0;
        for (Segment segment : packing.seen(sequence)) {
            Stored of = segment.keys();
            if (of.gradient() != null) {
                Tensor to = values ? of.dValues(packing.layer()) : of.dKeys(packing.layer());
                Tensor part = gradient.narrow(0, start, segment.length());
                to.narrow(0, segment.first(), segment.length())
                        .add_(
                                values || segment.turn() == null
                                        ? part
                                        : turned(
                                                part,
                                                packing.heads().width(),
                                                segment.turn().unsqueeze(0),
                                                false));
            }
            start += segment.length();
        }
        if (rows != null) {
            long from = packing.offsets()[sequence];
            long count = packing.offsets()[sequence + 1] - from;
            rows.narrow(0, from, count).copy_(gradient.narrow(0, start, count));
        }
    }

    @Override
    public Tensor attendStep(Sight sight, Tensor q) {
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
                    throw new IllegalArgumentException("attention: expected segments of one store");
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
            keys = turned(keys, sight.heads().width(), each(turns, turn), true);
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

    /** Of each key its rotation, [keys, R]. */
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

    @Override
    public Top top(Tensor logits, int k) {
        T_TensorTensor_T top = torch.topk(torch.log_softmax(logits, 1), k, 1, true, true);
        return new Top(top.get0(), top.get1());
    }

    @Override
    public void softmaxBlock(Tensor z, long first, OnlineSoftmax softmax, Tensor mean) {
        Tensor own = softmax.targets().sub(new Scalar(first)); // [n]
        long last = z.size(1) - 1;
        Tensor here = own.ge(new Scalar(0L)).logical_and(own.le(new Scalar(last)));
        Tensor at = own.clamp(new ScalarOptional(new Scalar(0L)), new ScalarOptional(new Scalar(last)));
        softmax.ofTarget().copy_(torch.where(here, z.gather(1, at.unsqueeze(1)).squeeze(1), softmax.ofTarget()));
        Tensor top = torch.maximum(softmax.top(), z.amax(new long[] {1}, false)); // [n]
        Tensor factor = softmax.top().sub(top).exp_(); // [n]
        softmax.top().copy_(top);
        z.sub_(top.unsqueeze(1)).exp_(); // [n, C]
        softmax.sum()
                .mul_(factor)
                .add_(torch.sum(z, new long[] {1}, false, new ScalarTypeOptional(torch.ScalarType.Double)));
        if (mean != null) {
            mean.mul_(factor.unsqueeze(1));
        }
    }
}
