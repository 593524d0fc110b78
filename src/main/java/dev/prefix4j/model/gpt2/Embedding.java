package dev.prefix4j.model.gpt2;

import org.bytedeco.pytorch.Module;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;

/** A table of vectors: {@code weight} [rows, E]. */
final class Embedding extends Module {
    final Tensor weight; // [rows, E]

    Embedding(Weights weights) {
        super("Embedding");
        this.weight = weights.register(this, "weight");
    }

    /** Rows for ids of any shape, int64: [...] to [..., E]. */
    Tensor forward(Tensor ids) {
        return torch.embedding(weight, ids);
    }
}
