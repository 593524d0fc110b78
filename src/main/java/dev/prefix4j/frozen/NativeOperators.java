package dev.prefix4j.frozen;

import dev.prefix4j.gpt2.Gpt2Config.Activation;
import dev.prefix4j.torch.Kernels;
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

    /** What a kernel writes to: y, or q with its scale and sum; the others are null. */
    private record Out(Tensor y, Tensor q, Tensor scale, Tensor sum) {
        static Out of(Rows rows) {
            return switch (rows) {
                case Rows.Float32(Tensor x) -> new Out(x, null, null, null);
                case Rows.Int8(Tensor q, Tensor scale, Tensor sum) -> new Out(null, q, scale, sum);
            };
        }
    }

    @Override
    public Normalized normalize(Tensor x, Tensor weight, Tensor bias, double epsilon) {
        Rows rows = room(x.size(0), x.size(1));
        Out out = Out.of(rows);
        Tensor mean = floats(x.size(0));
        Tensor rstd = floats(x.size(0));
        kernels.layerNorm(x, weight, bias, epsilon, out.y(), out.q(), out.scale(), out.sum(), mean, rstd);
        return new Normalized(rows, mean, rstd);
    }

    @Override
    public void normalizeBackward(Tensor dy, Tensor x, Tensor weight, Normalized of, Tensor dx) {
        kernels.layerNormBackward(dy, x, weight, of.mean(), of.rstd(), dx);
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
        kernels.gelu(h, out.y(), out.q(), out.scale(), out.sum(), precision == Precision.FP32 ? null : kept);
        return new Activated(rows, kept);
    }

    @Override
    public Rows activateBackward(Activation function, Tensor dy, Tensor kept) {
        return switch (precision) {
            case FP32 -> {
                if (function != Activation.GELU_TANH) {
                    yield new AtenOperators(precision).activateBackward(function, dy, kept);
                }
                kernels.geluBackward(dy, kept, dy, null, null, null);
                yield new Rows.Float32(dy);
            }
            case INT8 -> {
                Rows rows = room(dy.size(0), dy.size(1));
                Out out = Out.of(rows);
                kernels.slopeBackward(dy, kept, out.q(), out.scale(), out.sum());
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
        kernels.quantize(x, rows.q(), rows.scale(), rows.sum(), rest);
        return rows;
    }

    private static Kernels.Attention how(Packing packing) {
        return new Kernels.Attention(
                packing.heads(),
                packing.scale(),
                packing.offsets(),
                packing.queries().map(Packing.Queries::offsets).orElse(null),
                packing.queries().map(Packing.Queries::positions).orElse(null),
                packing.prefixFrom().orElse(null));
    }

    @Override
    public Attended attend(Packing packing, Tensor q, Tensor k, Tensor v, Tensor prefixK, Tensor prefixV) {
        Tensor y = floats(q.size(0), q.size(1));
        Tensor lse = floats(q.size(0), packing.heads());
        kernels.attentionForward(how(packing), q, k, v, prefixK, prefixV, y, lse);
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
        kernels.attentionBackward(
                how(packing),
                dy,
                of.y(),
                of.lse(),
                q,
                k,
                v,
                prefixK,
                prefixV,
                gradients.dq(),
                gradients.dk(),
                gradients.dv(),
                gradients.dPrefixK(),
                gradients.dPrefixV());
    }

    @Override
    public Tensor attendStep(
            int heads, double scale, Paths paths, int generations, boolean prefix, Tensor q, Tensor store) {
        long width = q.size(1);
        int[] beam = new int[paths.rows() * generations];
        for (int row = 0; row < paths.rows(); row++) {
            System.arraycopy(paths.beam()[row], 0, beam, row * generations, generations);
        }
        Kernels.Decode how =
                new Kernels.Decode(heads, scale, paths.promptOffsets(), paths.input(), beam, generations, generations);
        Tensor keys = store.narrow(1, 0, width);
        Tensor values = store.narrow(1, width, width);
        Tensor y = floats(q.size(0), width);
        kernels.attentionDecode(
                how,
                q,
                prefix(paths, prefix, keys),
                prefix(paths, prefix, values),
                prompts(paths, keys),
                prompts(paths, values),
                generated(paths, generations, keys),
                generated(paths, generations, values),
                y);
        return y;
    }

    private static Tensor prefix(Paths paths, boolean seen, Tensor store) {
        return store.narrow(0, 0, seen ? paths.prefix() : 0);
    }

    private static Tensor prompts(Paths paths, Tensor store) {
        return store.narrow(0, paths.prefix(), paths.promptTokens());
    }

    /** [G, capacity, E]. */
    private static Tensor generated(Paths paths, int generations, Tensor store) {
        return store.narrow(0, paths.generation(0), (long) generations * paths.capacity())
                .view(generations, paths.capacity(), -1);
    }

    @Override
    public Top top(Tensor logits, int k) {
        Tensor values = floats(logits.size(0), k);
        Tensor indices = empty(torch.ScalarType.Long, logits.size(0), k);
        kernels.topK(logits, values, indices);
        return new Top(values, indices);
    }

    @Override
    public void softmaxBlock(Tensor z, long first, OnlineSoftmax softmax, Tensor mean) {
        kernels.softmaxBlock(z, first, softmax.targets(), softmax.top(), softmax.sum(), softmax.ofTarget(), mean);
    }
}
