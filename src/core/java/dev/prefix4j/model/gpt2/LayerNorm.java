package dev.prefix4j.model.gpt2;

import dev.prefix4j.model.ModelConfig;
import dev.prefix4j.model.ModuleWeights;
import org.bytedeco.pytorch.Module;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptional;
import org.bytedeco.pytorch.global.torch;

/** Layer normalization over the last dimension, with gain {@code weight} [E] and {@code bias} [E]. */
final class LayerNorm extends Module {
    final Tensor weight; // [E]
    final Tensor bias; // [E]
    private final double epsilon;

    LayerNorm(ModuleWeights weights, ModelConfig config) {
        super("LayerNorm");
        this.weight = weights.register(this, "weight");
        this.bias = weights.register(this, "bias");
        this.epsilon = config.norm().epsilon();
    }

    /** [..., E] to [..., E]. */
    Tensor forward(Tensor x) {
        long[] shape = {weight.size(0)};
        return torch.layer_norm(x, shape, new TensorOptional(weight), new TensorOptional(bias), epsilon, false);
    }
}
