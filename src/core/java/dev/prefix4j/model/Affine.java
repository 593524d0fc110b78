package dev.prefix4j.model;

import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.jspecify.annotations.Nullable;

/**
 * The weights of an affine map of rows, {@code x W + b}.
 *
 * @param name of the module in a checkpoint, without the stem
 * @param weight [in, out], a view where checkpoints store it the other way; float32, or as the checkpoint stores it
 * @param bias [out]; null: none
 */
public record Affine(String name, Tensor weight, @Nullable Tensor bias) {
    /** Number of inputs. */
    public long inputs() {
        return weight.size(0);
    }

    /** Number of outputs. */
    public long outputs() {
        return weight.size(1);
    }

    /** A range of the outputs. */
    public Affine columns(long first, long count) {
        return new Affine(name, weight.narrow(1, first, count), bias == null ? null : bias.narrow(0, first, count));
    }

    /** The same in float32; with tensors that belong to the open scope, where it was not. */
    public Affine floats() {
        return weight.scalar_type().intern() == torch.ScalarType.Float
                ? this
                : new Affine(name, weight.to(torch.ScalarType.Float), bias);
    }

    /** Float32 [n, in] to [n, out]. */
    public Tensor of(Tensor x) {
        Tensor w = floats().weight();
        return bias == null ? torch.matmul(x, w) : torch.addmm(bias, x, w);
    }
}
