package dev.prefix4j.model.gpt2;

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
import org.bytedeco.pytorch.global.torch;

/**
 * GPT-2 (Radford et al. 2019). Its parameters are named as in Hugging Face checkpoints, without {@code transformer.}.
 *
 * <p>B batch, T new tokens, S tokens in the cache after a call, E width, V vocabulary.
 */
public final class Gpt2 extends Module {
    private final BaseModel base;
    private final Embedding wte;
    private final Embedding wpe;
    private final List<Block> blocks = new ArrayList<>();
    private final LayerNorm lnF;

    /** @param base of this family; the modules share its weights */
    public Gpt2(BaseModel base) {
        super("Gpt2");
        this.base = base;
        ModelConfig config = base.config();
        ModuleWeights weights = new ModuleWeights("", base.weights());
        this.wte = new Embedding(weights.in("wte"));
        this.wpe = new Embedding(weights.in("wpe"));
        register_module("wte", wte);
        register_module("wpe", wpe);
        Module h = new Module("ModuleList");
        for (int i = 0; i < config.layers(); i++) {
            Block block = new Block(weights.in("h." + i), config, i);
            blocks.add(block);
            h.register_module(Integer.toString(i), block);
        }
        register_module("h", h);
        this.lnF = new LayerNorm(weights.in("ln_f"), config);
        register_module("ln_f", lnF);
        if (!config.tiedHead()) {
            register_module("lm_head", new Embedding(weights.in("lm_head")));
        }
        eval();
    }

    /** Its weights and configuration. */
    public BaseModel base() {
        return base;
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
        return forwardEmbeddings(wte.forward(ids), cache);
    }

    /**
     * As {@link #forward}, for embeddings instead of tokens.
     *
     * @param embeddings [B, T, E], without positions
     */
    public Tensor forwardEmbeddings(Tensor embeddings, KvCache cache) {
        int past = cache.length();
        int fresh = (int) embeddings.size(1);
        base.requireRoom(past, fresh, 0);
        Tensor positions = range(past, past + fresh); // [T]
        AttentionMask mask = AttentionMask.causal(past, fresh, base.options(torch.ScalarType.Bool));
        Tensor h = embeddings.add(wpe.forward(positions)); // [B, T, E]
        for (Block block : blocks) {
            h = block.forward(h, cache, mask);
        }
        return lnF.forward(h);
    }

    /** Logits of every next token: [..., E] to [..., V]. */
    public Tensor logits(Tensor hidden) {
        return hidden.matmul(base.head().t());
    }

    private Tensor range(int from, int to) {
        return torch.arange(new Scalar((long) from), new Scalar((long) to), base.options(torch.ScalarType.Long));
    }
}
