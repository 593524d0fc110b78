package dev.prefix4j.method;

import dev.prefix4j.gpt2.Gpt2;
import dev.prefix4j.gpt2.KvCache;
import dev.prefix4j.prefix.PrefixShape;
import java.util.Arrays;
import java.util.stream.IntStream;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;

/** What a model makes of words. L layers, E width. */
final class Words {
    private Words() {}

    /** [N, E], without positions. */
    static Tensor embeddings(Gpt2 model, int[] ids) {
        return embeddings(model, model.ids(Arrays.stream(ids).asLongStream().toArray()));
    }

    /** [N, E], of int64 [N]. */
    static Tensor embeddings(Gpt2 model, Tensor ids) {
        return torch.embedding(model.weights().get("wte.weight"), ids);
    }

    /** The keys and values of embeddings [N, E] at the first positions: [N, 2·L·E], with a graph to them. */
    static Tensor activations(Gpt2 model, Tensor embeddings) {
        int layers = model.config().layers();
        KvCache.Growing cache = (KvCache.Growing) KvCache.empty(layers);
        model.forwardEmbeddings(embeddings.unsqueeze(0), cache);
        return PrefixShape.of((int) embeddings.size(0), model.config())
                .join(IntStream.range(0, layers).mapToObj(cache::layer).toList());
    }
}
