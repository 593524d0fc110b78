package dev.prefix4j.model;

import dev.prefix4j.model.gpt2.Gpt2;
import dev.prefix4j.model.llama.Llama;
import dev.prefix4j.model.llama.LlamaFamily;
import org.bytedeco.pytorch.Tensor;

/** The readable module of a model's family. */
public final class Readable {
    private Readable() {}

    /** Hidden states of int64 [B, T] behind a cache, [B, T, E]. */
    public static Tensor hidden(BaseModel model, Tensor ids, KvCache cache) {
        return model.config().family() == LlamaFamily.LLAMA
                ? new Llama(model).forward(ids, cache)
                : new Gpt2(model).forward(ids, cache);
    }

    /** Scores of every next token: [..., E] to [..., V]. */
    public static Tensor logits(BaseModel model, Tensor hidden) {
        return hidden.matmul(model.head().t());
    }
}
