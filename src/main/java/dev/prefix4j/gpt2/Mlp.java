package dev.prefix4j.gpt2;

import org.bytedeco.pytorch.Module;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;

/** The feed-forward half of a block: E to {@code n_inner}, activation, back to E. */
final class Mlp extends Module {
    private final Conv1d fc;
    private final Conv1d proj;
    private final Gpt2Config.Activation activation;

    Mlp(Weights weights, Gpt2Config config) {
        super("Mlp");
        this.fc = new Conv1d(weights.in("c_fc"), config.width(), config.innerWidth());
        this.proj = new Conv1d(weights.in("c_proj"), config.innerWidth(), config.width());
        this.activation = config.activation();
        register_module("c_fc", fc);
        register_module("c_proj", proj);
    }

    /** [B, T, E] to [B, T, E]. */
    Tensor forward(Tensor x) {
        return proj.forward(activate(fc.forward(x)));
    }

    private Tensor activate(Tensor x) {
        return switch (activation) {
            case GELU_TANH -> torch.gelu(x, "tanh");
            case GELU -> torch.gelu(x);
            case QUICK_GELU -> x.mul(torch.sigmoid(x.mul(new Scalar(1.702))));
            case RELU -> torch.relu(x);
            case SILU -> torch.silu(x);
            case TANH -> torch.tanh(x);
        };
    }
}
