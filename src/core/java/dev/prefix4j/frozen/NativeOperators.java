package dev.prefix4j.frozen;

import dev.prefix4j.kernels.Attention;
import dev.prefix4j.kernels.EightBits;
import dev.prefix4j.kernels.Kernels;
import dev.prefix4j.kernels.KeysValues;
import dev.prefix4j.model.Activation;
import dev.prefix4j.model.BlockWeights.NormWeights;
import dev.prefix4j.model.ModelConfig.Mlp;
import dev.prefix4j.model.ModelConfig.Norm;
import java.util.List;
import java.util.Objects;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptions;
import org.bytedeco.pytorch.global.torch;
import org.jspecify.annotations.Nullable;

/** The operators with our kernels, for the CPU. */
record NativeOperators(Kernels kernels) implements Operators {
    /** For rare cases. */
    private static final AtenOperators ATEN = new AtenOperators();

    private static Tensor empty(torch.ScalarType type, long... shape) {
        return torch.empty(shape, new TensorOptions(type), null);
    }

    private static Tensor floats(long... shape) {
        return empty(torch.ScalarType.Float, shape);
    }

    /** Uninitialized rows for a result. */
    private static Rows room(long rows, long columns, Precision form) {
        return switch (form) {
            case FP32 -> new Rows.Float32(floats(rows, columns));
            case INT8 -> eightBits(rows, columns);
        };
    }

    private static Rows.Int8 eightBits(long rows, long columns) {
        return new Rows.Int8(
                empty(torch.ScalarType.Char, rows, Math.ceilDiv(columns, 4L) * 4),
                floats(rows),
                empty(torch.ScalarType.Int, rows));
    }

    /** The output of a kernel: either y or 8-bit rows; the other is null. */
    private record Out(@Nullable Tensor y, @Nullable EightBits bits) {
        static Out of(Rows rows) {
            return switch (rows) {
                case Rows.Float32(Tensor x) -> new Out(x, null);
                case Rows.Int8 eight -> new Out(null, eight.bits());
            };
        }
    }

    @Override
    public Normalized normalize(Tensor x, NormWeights weights, Norm how, Precision form) {
        Rows rows = room(x.size(0), x.size(1), form);
        Out out = Out.of(rows);
        Tensor rstd = floats(x.size(0));
        if (how.kind() == Norm.Kind.RMS) {
            kernels.rows().rmsNorm(x, weights.weight(), how.epsilon(), out.y(), out.bits(), rstd);
            return new Normalized(rows, new Moments(null, rstd));
        }
        Tensor mean = floats(x.size(0));
        Tensor bias = Objects.requireNonNull(weights.bias(), "bias of a layer normalization");
        kernels.rows().layerNorm(x, weights.weight(), bias, how.epsilon(), out.y(), out.bits(), mean, rstd);
        return new Normalized(rows, new Moments(mean, rstd));
    }

    @Override
    public void normalizeBackward(Tensor dy, Tensor x, NormWeights weights, Moments of, Tensor dx) {
        Tensor mean = of.mean();
        if (mean == null) {
            kernels.rows().rmsNormBackward(dy, x, weights.weight(), of.rstd(), dx);
            return;
        }
        kernels.rows().layerNormBackward(dy, x, weights.weight(), mean, of.rstd(), dx);
    }

    @Override
    public NormalizedHeads normalizeHeads(Tensor x, Tensor weight, double epsilon) {
        int heads = heads(x, weight.size(0));
        Tensor before = x.clone();
        Tensor rstd = floats(x.size(0), heads);
        kernels.heads().headNorm(before, heads, weight, epsilon, x, rstd);
        return new NormalizedHeads(before, rstd);
    }

    @Override
    public void normalizeHeadsBackward(Tensor dy, Tensor weight, NormalizedHeads of) {
        kernels.heads().headNormBackward(dy, of.before(), heads(dy, weight.size(0)), weight, of.rstd(), dy);
    }

    private static int heads(Tensor x, long width) {
        return Math.toIntExact(x.size(1) / width);
    }

    @Override
    public void rotate(Tensor x, int width, Tensor turns, boolean back) {
        kernels.heads().rotate(x, heads(x, width), Math.toIntExact(turns.size(1)), turns, back);
    }

    @Override
    public Activated activate(Mlp how, Tensor h, Precision form) {
        if (how.gated()) {
            if (how.activation() != Activation.SILU) {
                return new Activated(
                        rows(
                                ((Rows.Float32) ATEN.activate(how, h, Precision.FP32)
                                                .rows())
                                        .x(),
                                form),
                        h);
            }
            Rows rows = room(h.size(0), h.size(1) / 2, form);
            Out out = Out.of(rows);
            kernels.rows().swiglu(h, out.y(), out.bits());
            return new Activated(rows, h);
        }
        if (how.activation() != Activation.GELU_TANH) {
            Activated plain = ATEN.activate(how, h, Precision.FP32);
            return form == Precision.FP32
                    ? plain
                    : new Activated(
                            rows(((Rows.Float32) plain.rows()).x(), form), AtenOperators.slope(how.activation(), h));
        }
        Rows rows = room(h.size(0), h.size(1), form);
        Out out = Out.of(rows);
        Tensor kept = switch (form) {
            case FP32 -> h;
            case INT8 -> empty(torch.ScalarType.Byte, h.size(0), h.size(1));
        };
        kernels.rows().gelu(h, out.y(), out.bits(), form == Precision.FP32 ? null : kept);
        return new Activated(rows, kept);
    }

    @Override
    public Rows activateBackward(Mlp how, Tensor dy, Tensor kept, Precision form) {
        if (how.gated() && how.activation() == Activation.SILU) {
            Rows rows = room(kept.size(0), kept.size(1), form);
            Out out = Out.of(rows);
            kernels.rows().swigluBackward(dy, kept, out.y(), out.bits());
            return rows;
        }
        if (Activated.isSlope(kept) && form == Precision.INT8) {
            Rows.Int8 rows = eightBits(dy.size(0), dy.size(1));
            kernels.rows().slopeBackward(dy, kept, rows.bits());
            return rows;
        }
        if (how.gated() || how.activation() != Activation.GELU_TANH || Activated.isSlope(kept)) {
            return rows(((Rows.Float32) ATEN.activateBackward(how, dy, kept, Precision.FP32)).x(), form);
        }
        kernels.rows().geluBackward(dy, kept, dy, null);
        return rows(dy, form);
    }

    @Override
    public Tensor multiply(Tensor x, Tensor w, @Nullable Tensor bias) {
        return Linear.Float32.multiply(new Rows.Float32(x), w, bias, null, kernels);
    }

    @Override
    public Rows rows(Tensor x, Precision form) {
        return switch (form) {
            case FP32 -> new Rows.Float32(x);
            case INT8 -> quantize(x, null);
        };
    }

    @Override
    public Split split(Tensor x) {
        return new Split(quantize(x, x), quantize(x, null));
    }

    private Rows.Int8 quantize(Tensor x, @Nullable Tensor rest) {
        Rows.Int8 rows = eightBits(x.size(0), x.size(1));
        kernels.rows().quantize(x, rows.bits(), rest);
        return rows;
    }

    /** What each sequence sees: its segments, then its own rows of {@code own}. */
    private static Attention attention(Packing packing, KeysValues own) {
        Attention attention = new Attention(packing.heads(), packing.scale(), true);
        for (int b = 0; b < packing.sequences(); b++) {
            see(attention, packing.seen(b), packing.layer());
            long first = packing.offsets()[b];
            attention.see(own, 0, first, packing.offsets()[b + 1] - first, 0);
            attention.endRow(
                    (int) (packing.firstQuery(b + 1) - packing.firstQuery(b)),
                    packing.queries().map(Packing.Queries::positions).orElse(null),
                    (int) packing.firstQuery(b));
        }
        return attention;
    }

    private static void see(Attention attention, List<Segment> segments, int layer) {
        for (Segment segment : segments) {
            KeysValues keys = segment.keys().kernels();
            attention.see(
                    segment.turn() == null ? keys : keys.turned(segment.turn()),
                    layer,
                    segment.first(),
                    segment.length(),
                    segment.from());
        }
    }

    @Override
    public Attended attend(Packing packing, Tensor q, Tensor k, Tensor v) {
        Tensor y = floats(q.size(0), q.size(1));
        Tensor lse = floats(q.size(0), packing.heads().queries());
        kernels.attention().forward(attention(packing, KeysValues.of(k, v)), q, y, lse);
        return new Attended(y, lse);
    }

    @Override
    public void attendBackward(
            Packing packing, Tensor dy, Attended of, Tensor q, Tensor k, Tensor v, AttentionGradients gradients) {
        KeysValues own = KeysValues.of(k, v);
        Tensor dk = gradients.dk();
        Tensor dv = gradients.dv();
        if (dk != null && dv != null) {
            own = own.withGradient(dk, dv);
        }
        kernels.attention().backward(attention(packing, own), dy, of.y(), of.lse(), q, gradients.dq());
    }

    @Override
    public Tensor attendStep(Sight sight, Tensor q) {
        Attention attention = new Attention(sight.heads(), sight.scale(), false);
        for (int row = 0; row < sight.rows(); row++) {
            see(attention, sight.seen(row), sight.layer());
            attention.endRow(1);
        }
        Tensor y = floats(q.size(0), q.size(1));
        kernels.attention().decode(attention, q, y);
        return y;
    }

    @Override
    public Top top(Tensor logits, int k) {
        Tensor values = floats(logits.size(0), k);
        Tensor indices = empty(torch.ScalarType.Long, logits.size(0), k);
        kernels.vocabulary().topK(logits, values, indices);
        return new Top(values, indices);
    }

    @Override
    public void softmaxBlock(Tensor z, long first, OnlineSoftmax softmax, @Nullable Tensor mean) {
        kernels.vocabulary()
                .softmaxBlock(z, first, softmax.targets(), softmax.top(), softmax.sum(), softmax.ofTarget(), mean);
    }
}
