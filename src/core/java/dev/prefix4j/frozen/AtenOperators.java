package dev.prefix4j.frozen;

import dev.prefix4j.model.Activation;
import dev.prefix4j.model.BlockWeights.NormWeights;
import dev.prefix4j.model.ModelConfig.Mlp;
import dev.prefix4j.model.ModelConfig.Norm;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.ScalarOptional;
import org.bytedeco.pytorch.ScalarTypeOptional;
import org.bytedeco.pytorch.T_TensorTensorTensor_T;
import org.bytedeco.pytorch.T_TensorTensor_T;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptional;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch;
import org.jspecify.annotations.Nullable;

/** The operators as compositions of libtorch's, for every device; {@link NativeOperators} is tested against them. */
record AtenOperators() implements Operators {
    /** Largest magnitude of the 8-bit values in use: symmetric, so that negation is exact. */
    private static final double LARGEST = 127;

    /** The constant of {@code quick_gelu}, x·σ(1.702 x). */
    private static final double QUICK = 1.702;

    /** Derivatives in 8 bits range from -0.13 to 1.13, which covers all supported activation functions. */
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
                Tensor y = result.get0().detach(); // a separate tensor: the tuple's is freed with the tuple
                yield new Normalized(
                        rows(y, form),
                        new Moments(result.get1().view(-1), result.get2().view(-1)));
            }
            case RMS -> {
                Tensor rstd = rstd(x, how.epsilon()); // [N, 1]
                yield new Normalized(rows(x.mul(rstd).mul(weights.weight()), form), new Moments(null, rstd.view(-1)));
            }
        };
    }

    /** The reciprocal root mean square over the last dimension, which is kept with size 1. */
    private static Tensor rstd(Tensor x, double epsilon) {
        return torch.rsqrt(mean(x.mul(x)).add(new Scalar(epsilon)));
    }

    @Override
    public void normalizeBackward(Tensor dy, Tensor x, NormWeights weights, Moments of, Tensor dx) {
        Tensor rstd = of.rstd().unsqueeze(1); // [N, 1]
        Tensor g = dy.mul(weights.weight()); // [N, E]
        Tensor mean = of.mean();
        if (mean == null) {
            dx.add_(rmsBackward(g, x, rstd));
            return;
        }
        Tensor normal = x.sub(mean.unsqueeze(1)).mul(rstd); // [N, E]
        Tensor along = mean(g.mul(normal));
        dx.add_(g.sub(mean(g)).sub(normal.mul(along)).mul(rstd));
    }

    /** @param g gradient with respect to x times rstd */
    private static Tensor rmsBackward(Tensor g, Tensor x, Tensor rstd) {
        Tensor normal = x.mul(rstd);
        return g.sub(normal.mul(mean(g.mul(normal)))).mul(rstd);
    }

    @Override
    public NormalizedHeads normalizeHeads(Tensor x, Tensor weight, double epsilon) {
        Tensor before = x.clone();
        Tensor heads = AtenHeads.of(before, weight.size(0)); // [N, heads, D]
        Tensor rstd = rstd(heads, epsilon); // [N, heads, 1]
        x.copy_(heads.mul(rstd).mul(weight).reshape(x.size(0), x.size(1)));
        return new NormalizedHeads(before, rstd.squeeze(2));
    }

    @Override
    public void normalizeHeadsBackward(Tensor dy, Tensor weight, NormalizedHeads of) {
        Tensor g = AtenHeads.of(dy, weight.size(0)).mul(weight); // [N, heads, D]
        Tensor dx = rmsBackward(
                g, AtenHeads.of(of.before(), weight.size(0)), of.rstd().unsqueeze(2));
        dy.copy_(dx.reshape(dy.size(0), dy.size(1)));
    }

    @Override
    public void rotate(Tensor x, int width, Tensor turns, boolean back) {
        x.copy_(AtenHeads.turned(x, width, turns, back));
    }

    /** The mean over the last dimension, which is kept with size 1. */
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
    public Tensor multiply(Tensor x, Tensor w, @Nullable Tensor bias) {
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
        Tensor mixed = Mixing.mix(x);
        Rows.Int8 coarse = quantizeMixed(mixed);
        Tensor held = coarse.q()
                .narrow(1, 0, x.size(1))
                .to(torch.ScalarType.Float)
                .mul_(coarse.scale().unsqueeze(1));
        return new Split(coarse, quantizeMixed(mixed.sub(held)));
    }

    /** Row-wise, as {@link Rows.Int8} says. */
    static Rows.Int8 quantize(Tensor x) {
        return quantizeMixed(Mixing.mix(x));
    }

    private static Rows.Int8 quantizeMixed(Tensor x) {
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

    @Override
    public Attended attend(Packing packing, Tensor q, Tensor k, Tensor v) {
        return AtenAttention.attend(packing, q, k, v);
    }

    @Override
    public void attendBackward(
            Packing packing, Tensor dy, Attended of, Tensor q, Tensor k, Tensor v, AttentionGradients gradients) {
        AtenAttention.attendBackward(packing, dy, of, q, k, v, gradients);
    }

    @Override
    public Tensor attendStep(Sight sight, Tensor q) {
        return AtenAttention.attendStep(sight, q);
    }

    @Override
    public Top top(Tensor logits, int k) {
        T_TensorTensor_T top = torch.topk(torch.log_softmax(logits, 1), k, 1, true, true);
        return new Top(top.get0(), top.get1());
    }

    @Override
    public void softmaxBlock(Tensor z, long first, OnlineSoftmax softmax, @Nullable Tensor mean) {
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
