package dev.prefix4j.model.gpt2;

import dev.prefix4j.model.ModuleWeights;
import org.bytedeco.pytorch.Module;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;

/**
 * GPT-2's affine map, stored transposed compared with a PyTorch {@code Linear}: {@code weight} [in, out],
 * {@code bias} [out]. The name is from the original code and its checkpoints.
 */
final class Conv1d extends Module {
    final Tensor weight; // [in, out]
    final Tensor bias; // [out]

    Conv1d(ModuleWeights weights) {
        super("Conv1D");
        this.weight = weights.register(this, "weight");
        this.bias = weights.register(this, "bias");
    }

    /** [B, T, in] to [B, T, out]. */
    Tensor forward(Tensor x) {
        Tensor flat = x.view(-1, weight.size(0)); // [B·T, in]
        Tensor y = torch.addmm(bias, flat, weight);
        return y.view(x.size(0), x.size(1), weight.size(1));
    }
}
