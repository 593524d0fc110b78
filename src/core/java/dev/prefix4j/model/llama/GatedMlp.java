package dev.prefix4j.model.llama;

import dev.prefix4j.model.Activation;
import dev.prefix4j.model.ModelConfig;
import dev.prefix4j.model.ModuleWeights;
import org.bytedeco.pytorch.Module;
import org.bytedeco.pytorch.Tensor;

/** The gated feed-forward half of a block (Shazeer 2020, arXiv:2002.05202). */
final class GatedMlp extends Module {
    private final Linear gate;
    private final Linear up;
    private final Linear down;
    private final Activation activation;

    GatedMlp(ModuleWeights weights, ModelConfig config) {
        super("GatedMlp");
        boolean biased = config.mlp().bias();
        this.gate = new Linear(weights.in("gate_proj"), biased);
        this.up = new Linear(weights.in("up_proj"), biased);
        this.down = new Linear(weights.in("down_proj"), biased);
        this.activation = config.mlp().activation();
        register_module("gate_proj", gate);
        register_module("up_proj", up);
        register_module("down_proj", down);
    }

    /** [B, T, E] to [B, T, E]. */
    Tensor forward(Tensor x) {
        return down.forward(activation.of(gate.forward(x)).mul(up.forward(x)));
    }
}
