package dev.prefix4j.method;

import dev.prefix4j.model.AutogradModel;
import dev.prefix4j.model.BaseModel;
import dev.prefix4j.model.KvCache;
import dev.prefix4j.prefix.PrefixShape;
import java.util.Arrays;
import java.util.stream.IntStream;
import org.bytedeco.pytorch.Tensor;

/** What a model makes of words. L layers, E width, W columns of keys. */
final class Words {
    private Words() {}

    /** [N, E], without positions. */
    static Tensor embeddings(BaseModel model, int[] ids) {
        return embeddings(model, model.ids(Arrays.stream(ids).asLongStream().toArray()));
    }

    /** [N, E], of int64 [N]. */
    static Tensor embeddings(BaseModel model, Tensor ids) {
        return model.words(ids);
    }

    /** The keys and values of embeddings [N, E] at the first positions: [N, 2·L·W], with a graph to them. */
    static Tensor activations(BaseModel model, Tensor embeddings) {
        int layers = model.config().layers();
        KvCache.Growing cache = (KvCache.Growing) KvCache.empty(layers);
        new AutogradModel(model).forwardEmbeddings(embeddings.unsqueeze(0), cache);
        return PrefixShape.of((int) embeddings.size(0), model.config())
                .join(IntStream.range(0, layers).mapToObj(cache::layer).toList());
    }
}
