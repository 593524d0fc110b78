package dev.prefix4j.frozen;

import dev.prefix4j.gpt2.Gpt2Config.Activation;
import dev.prefix4j.kernels.Attention;
import dev.prefix4j.kernels.EightBits;
import dev.prefix4j.kernels.Kernels;
import dev.prefix4j.kernels.KeysValues;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptions;
import org.bytedeco.pytorch.global.torch;

/**
 * The operators on our kernels, for the CPU.
 *
 * @param precision of the rows that they give
 */
record NativeOperators(Kernels kernels, Precision precision) implements Operators {
    private static Tensor empty(torch.ScalarType type, long... shape) {
        return torch.empty(shape, new TensorOptions(type), null);
    }

    private static Tensor floats(long... shape) {
        return empty(torch.ScalarType.Float, shape);
    }

    /** Room for the rows of a result: float32 or 8-bit. */
    private Rows room(long rows, long columns) {
        return switch (precision) {
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

    /** What a kernel writes to: y or 8 bits; the other is null. */
    private record Out(Tensor y, EightBits bits) {
        static Out of(Rows rows) {
            return switch (rows) {
                case Rows.Float32(Tensor x) -> new Out(x, null);
                case Rows.Int8 eight -> new Out(null, eight.bits());
            };
        }
    }

    @Override
    public Normalized normalize(Tensor x, Tensor weight, Tensor bias, double epsilon) {
        Rows rows = room(x.size(0), x.size(1));
        Out out = Out.of(rows);
        Tensor mean = floats(x.size(0));
        Tensor rstd = floats(x.size(0));
        kernels.rows().layerNorm(x, weight, bias, epsilon, out.y(), out.bits(), mean, rstd);
        return new Normalized(rows, mean, rstd);
    }

    @Override
    public void normalizeBackward(Tensor dy, Tensor x, Tensor weight, Normalized of, Tensor dx) {
        kernels.rows().layerNormBackward(dy, x, weight, of.mean(), of.rstd(), dx);
    }

    @Override
    public Activated activate(Activation function, Tensor h) {
        if (function != Activation.GELU_TANH) {
            return switch (precision) {
                case FP32 -> new AtenOperators(precision).activate(function, h);
                case INT8 ->
                    new Activated(
                            rows(((Rows.Float32) new AtenOperators(Precision.FP32)
                                            .activate(function, h)
                                            .rows())
                                    .x()),
                            AtenOperators.slope(function, h));
            };
        }
        Rows rows = room(h.size(0), h.size(1));
        Out out = Out.of(rows);
        Tensor kept = switch (precision) {
            case FP32 -> h;
            case INT8 -> empty(torch.ScalarType.Byte, h.size(0), h.size(1));
        };
        kernels.rows().gelu(h, out.y(), out.bits(), precision == Precision.FP32 ? null : kept);
        return new Activated(rows, kept);
    }

    @Override
    public Rows activateBackward(Activation function, Tensor dy, Tensor kept) {
        return switch (precision) {
            case FP32 -> {
                if (function != Activation.GELU_TANH) {
                    yield new AtenOperators(precision).activateBackward(function, dy, kept);
                }
                kernels.rows().geluBackward(dy, kept, dy, null);
                yield new Rows.Float32(dy);
            }
            case INT8 -> {
                Rows.Int8 rows = eightBits(dy.size(0), dy.size(1));
                kernels.rows().slopeBackward(dy, kept, rows.bits());
                yield rows;
            }
        };
    }

    @Override
    public Rows rows(Tensor x) {
        return switch (precision) {
            case FP32 -> new Rows.Float32(x);
            case INT8 -> quantize(x, null);
        };
    }

    @Override
    public Split split(Tensor x) {
        return new Split(quantize(x, x), quantize(x, null));
    }

    private Rows.Int8 quantize(Tensor x, Tensor rest) {
        Rows.Int8 rows = eightBits(x.size(0), x.size(1));
        kernels.rows().quantize(x, rows.bits(), rest);
        return rows;
    }

    private static Attention.Heads heads(int count, Tensor q) {
        return new Attention.Heads(count, count, Math.toIntExact(q.size(1) / count), 0);
    }

    /** What every sequence sees, and its own rows of {@code own}. */
    private static Attention attention(Packing packing, Tensor q, KeysValues own) {
        Attention attention = new Attention(heads(packing.heads(), q), packing.scale(), true);
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
            attention.see(segment.keys().kernels(), layer, segment.first(), segment.length(), segment.from());
        }
    }

    @Override
    public Attended attend(Packing packing, Tensor q, Tensor k, Tensor v) {
        Tensor y = floats(q.size(0), q.size(1));
        Tensor lse = floats(q.size(0), packing.heads());
        kernels.attention().forward(attention(packing, q, KeysValues.of(k, v)), q, y, lse);
        return new Attended(y, lse);
    }

    @Override
    public void attendBackward(
            Packing packing, Tensor dy, Attended of, Tensor q, Tensor k, Tensor v, AttentionGradients gradients) {
        KeysValues own = KeysValues.of(k, v);
        if (gradients.dk() != null) {
            own = own.withGradient(gradients.dk(), gradients.dv());
        }
        kernels.attention().backward(attention(packing, q, own), dy, of.y(), of.lse(), q, gradients.dq());
    }

    @Override
    public Tensor attendStep(Sight sight, Tensor q) {
        Attention attention = new Attention(heads(sight.heads(), q), sight.scale(), false);
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
    public void softmaxBlock(Tensor z, long first, OnlineSoftmax softmax, Tensor mean) {
        kernels.vocabulary()
                .softmaxBlock(z, first, softmax.targets(), softmax.top(), softmax.sum(), softmax.ofTarget(), mean);
    }
}
