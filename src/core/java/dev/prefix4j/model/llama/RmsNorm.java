package dev.prefix4j.model.llama;

import dev.prefix4j.model.ModelConfig;
import dev.prefix4j.model.ModuleWeights;
import org.bytedeco.pytorch.Module;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.ScalarTypeOptional;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;

/** Normalization to root mean square 1 over the last dimension (Zhang and Sennrich 2019, arXiv:1910.07467), with gain {@code weight}. */
final class RmsNorm extends Module {
    private final Tensor weight;
    private final double epsilon;

    RmsNorm(ModuleWeights weights, ModelConfig config) {
        super("RMSNorm");
        this.weight = weights.register(this, "weight");
        this.epsilon = config.norm().epsilon();
    }

    /** [..., E] to [..., E]. */
    Tensor forward(Tensor x) {
        Tensor meanSquare = torch.mean(x.pow(new Scalar(2.0)), new long[] {-1}, true, new ScalarTypeOptional());
        return weight.mul(x.mul(torch.rsqrt(meanSquare.add(new Scalar(epsilon)))));
    }
}
