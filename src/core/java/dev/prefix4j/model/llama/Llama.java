package dev.prefix4j.model.llama;

import dev.prefix4j.InputException;
import dev.prefix4j.model.AttentionMask;
import dev.prefix4j.model.BaseModel;
import dev.prefix4j.model.Embedding;
import dev.prefix4j.model.KvCache;
import dev.prefix4j.model.ModelConfig;
import dev.prefix4j.model.ModuleWeights;
import java.util.ArrayList;
import java.util.List;
import org.bytedeco.pytorch.Module;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch;

/**
 * Llama and its relatives, as a readable reference. Its parameters are named as in Hugging Face checkpoints, without
 * {@code model.}.
 *
 * <p>B batch, T new tokens, S tokens in the cache after a call, E width, V vocabulary.
 */
public final class Llama extends Module {
    private final BaseModel base;
    private final Embedding words;
    private final List<Block> blocks = new ArrayList<>();
    private final RmsNorm norm;

    /** @param base of this family; the modules share its weights */
    public Llama(BaseModel base) {
        super("Llama");
        this.base = base;
        ModelConfig config = base.config();
        ModuleWeights weights = new ModuleWeights("", base.weights());
        this.words = new Embedding(weights.in("embed_tokens"));
        register_module("embed_tokens", words);
        Module layers = new Module("ModuleList");
        for (int i = 0; i < config.layers(); i++) {
            Block block = new Block(weights.in("layers." + i), config, i);
            blocks.add(block);
            layers.register_module(Integer.toString(i), block);
        }
        register_module("layers", layers);
        this.norm = new RmsNorm(weights.in("norm"), config);
        register_module("norm", norm);
        if (!config.tiedHead()) {
            register_module("lm_head", new Embedding(weights.in("lm_head")));
        }
        eval();
    }

    /**
     * Runs the model on new tokens that continue the cached ones: they take the positions after them, and attend to them
     * and to each other causally. Rows of different lengths are padded on the right: no token sees later ones.
     *
     * @param ids int64 [B, T]
     * @param cache receives the new tokens' keys and values
     * @return hidden states after the final normalization, [B, T, E]; {@link #logits} turns them into predictions
     * @throws InputException if the model has too few positions; checked first
     */
    public Tensor forward(Tensor ids, KvCache cache) {
        return forwardEmbeddings(words.forward(ids), cache);
    }

    /**
     * As {@link #forward}, for embeddings instead of tokens.
     *
     * @param embeddings [B, T, E]
     */
    public Tensor forwardEmbeddings(Tensor embeddings, KvCache cache) {
        int past = cache.length();
        int fresh = (int) embeddings.size(1);
        base.requireRoom(past, fresh, 0);
        Tensor positions = torch.arange(
                new Scalar((long) past), new Scalar((long) past + fresh), base.options(torch.ScalarType.Float)); // [T]
        Tensor frequencies = torch.tensor(
                        base.config().attention().rotary().orElseThrow().frequencies())
                .to(base.device(), torch.ScalarType.Float); // [D/2]
        Tensor half = positions.unsqueeze(1).mul(frequencies); // [T, D/2]
        Tensor angles = torch.cat(new TensorVector(half, half), 1); // [T, D]
        AttentionMask mask = AttentionMask.causal(past, fresh, base.options(torch.ScalarType.Bool));
        Tensor h = embeddings;
        for (Block block : blocks) {
            h = block.forward(h, angles.cos(), angles.sin(), cache, mask);
        }
        return norm.forward(h);
    }

    /** Logits of every next token: [..., E] to [..., V]. */
    public Tensor logits(Tensor hidden) {
        return hidden.matmul(base.head().t());
    }
}
