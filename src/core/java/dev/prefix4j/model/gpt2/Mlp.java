package dev.prefix4j.model.gpt2;

import dev.prefix4j.model.Activation;
import dev.prefix4j.model.ModelConfig;
import dev.prefix4j.model.ModuleWeights;
import org.bytedeco.pytorch.Module;
import org.bytedeco.pytorch.Tensor;

/** The feed-forward half of a block: E to {@code n_inner}, activation, back to E. */
final class Mlp extends Module {
    private final Conv1d fc;
    private final Conv1d proj;
    private final Activation activation;

    Mlp(ModuleWeights weights, ModelConfig config) {
        super("Mlp");
        this.fc = new Conv1d(weights.in("c_fc"));
        this.proj = new Conv1d(weights.in("c_proj"));
        this.activation = config.mlp().activation();
        register_module("c_fc", fc);
        register_module("c_proj", proj);
    }

    /** [B, T, E] to [B, T, E]. */
    Tensor forward(Tensor x) {
        return proj.forward(activation.of(fc.forward(x)));
    }
}
