package dev.prefix4j.frozen;

import dev.prefix4j.gpt2.Gpt2Config.Activation;
import dev.prefix4j.kernels.Attention;
import dev.prefix4j.kernels.EightBits;
import dev.prefix4j.kernels.Kernels;
import dev.prefix4j.kernels.KeysValues;
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

    /** What every sequence sees: the prefix, and its own rows of {@code own}. */
    private static Attention sight(Packing packing, Tensor q, KeysValues prefix, KeysValues own) {
        Attention sight = new Attention(heads(packing.heads(), q), packing.scale(), true);
        for (int b = 0; b < packing.sequences(); b++) {
            long from =
                    packing.prefixFrom().isEmpty() ? 0 : packing.prefixFrom().get()[b];
            long first = packing.offsets()[b];
            long length = packing.offsets()[b + 1] - first;
            int queries = (int) (packing.firstQuery(b + 1) - packing.firstQuery(b));
            sight.see(prefix, 0, prefix.length(), from);
            sight.see(own, first, length, 0);
            sight.endRow(
                    queries, packing.queries().map(Packing.Queries::positions).orElse(null), (int)
                            packing.firstQuery(b));
        }
        return sight;
    }

    @Override
    public Attended attend(Packing packing, Tensor q, Tensor k, Tensor v, Tensor prefixK, Tensor prefixV) {
        Tensor y = floats(q.size(0), q.size(1));
        Tensor lse = floats(q.size(0), packing.heads());
        Attention sight = sight(packing, q, KeysValues.of(prefixK, prefixV), KeysValues.of(k, v));
        kernels.attention().forward(sight, 0, q, y, lse);
        return new Attended(y, lse);
    }

    @Override
    public void attendBackward(
            Packing packing,
            Tensor dy,
            Attended of,
            Tensor q,
            Tensor k,
            Tensor v,
            Tensor prefixK,
            Tensor prefixV,
            AttentionGradients gradients) {
        KeysValues prefix = KeysValues.of(prefixK, prefixV).withGradient(gradients.dPrefixK(), gradients.dPrefixV());
        KeysValues own = KeysValues.of(k, v);
        if (gradients.dk() != null) {
            own = own.withGradient(gradients.dk(), gradients.dv());
        }
        kernels.attention().backward(sight(packing, q, prefix, own), 0, dy, of.y(), of.lse(), q, gradients.dq());
    }

    @Override
    public Tensor attendStep(
            int heads, double scale, Paths paths, int generations, boolean prefix, Tensor q, Tensor store) {
        long width = q.size(1);
        KeysValues places = KeysValues.of(store.narrow(1, 0, width), store.narrow(1, width, width));
        Attention sight = new Attention(heads(heads, q), scale, false);
        for (int row = 0; row < paths.rows(); row++) {
            long from = paths.promptOffsets()[paths.input()[row]];
            long to = paths.promptOffsets()[paths.input()[row] + 1];
            sight.see(places, 0, prefix ? paths.prefix() : 0, 0);
            sight.see(places, paths.prefix() + from, to - from, 0);
            for (int i = 0; i < generations; i++) {
                sight.see(places, paths.generation(i) + (long) paths.beam()[row][i], 1, 0);
            }
            sight.endRow(1);
        }
        Tensor y = floats(q.size(0), width);
        kernels.attention().decode(sight, 0, q, y);
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
