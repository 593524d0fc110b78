package dev.prefix4j.model.llama;

import dev.prefix4j.model.ModuleWeights;
import org.bytedeco.pytorch.Module;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptional;
import org.bytedeco.pytorch.global.torch;

/** An affine map: {@code weight} [out, in], {@code bias} [out] if there is one. */
final class Linear extends Module {
    private final Tensor weight;
    private final TensorOptional bias;

    Linear(ModuleWeights weights, boolean biased) {
        super("Linear");
        this.weight = weights.register(this, "weight");
        this.bias = biased ? new TensorOptional(weights.register(this, "bias")) : new TensorOptional();
    }

    /** [..., in] to [..., out]. */
    Tensor forward(Tensor x) {
        return torch.linear(x, weight, bias);
    }
}
