package dev.prefix4j.model;

import org.bytedeco.pytorch.Module;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;

/** A table of vectors: {@code weight} [rows, E]. */
public final class Embedding extends Module {
    final Tensor weight; // [rows, E]

    public Embedding(ModuleWeights weights) {
        super("Embedding");
        this.weight = weights.register(this, "weight");
    }

    /** Rows of ids, int64 of any shape: [...] to [..., E]. */
    public Tensor forward(Tensor ids) {
        return torch.embedding(weight, ids);
    }
}
