package dev.prefix4j.gpt2;

import dev.prefix4j.InputException;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.bytedeco.pytorch.Device;
import org.bytedeco.pytorch.DeviceOptional;
import org.bytedeco.pytorch.Module;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptions;
import org.bytedeco.pytorch.global.torch;

/**
 * GPT-2 (Radford et al. 2019). Its parameters are named as in Hugging Face checkpoints, without {@code transformer.}.
 * {@link Checkpoint} loads it with frozen weights, and makes a new one whose weights can be trained.
 *
 * <p>B batch, T new tokens, S tokens in the cache after a call, E width, V vocabulary.
 */
public final class Gpt2 extends Module {
    private final Gpt2Config config;
    private final Device device;
    private final Embedding wte;
    private final Embedding wpe;
    private final List<Block> blocks = new ArrayList<>();
    private final LayerNorm lnF;
    private final Tensor head; // [V, E]
    private final Map<String, Tensor> weights = new LinkedHashMap<>();
    private Extension extension = Extension.NONE;

    Gpt2(Gpt2Config config, Device device, Weights weights) {
        super("Gpt2");
        this.config = config;
        this.device = device;
        weights = weights.of(this.weights, () -> extension);
        this.wte = new Embedding(weights.in("wte"), config.vocabulary(), config.width());
        this.wpe = new Embedding(weights.in("wpe"), config.positions(), config.width());
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
        if (config.tiedHead()) {
            this.head = wte.weight;
        } else {
            Embedding untied = new Embedding(weights.in("lm_head"), config.vocabulary(), config.width());
            register_module("lm_head", untied);
            this.head = untied.weight;
        }
        eval();
    }

    public Gpt2Config config() {
        return config;
    }

    /** Where the weights are; inputs must be there too. */
    public Device device() {
        return device;
    }

    /** The output head, [V, E]. */
    public Tensor head() {
        return head;
    }

    /** The weights by their names in a checkpoint, in the order of the modules; the model's own tensors. */
    public Map<String, Tensor> weights() {
        return Collections.unmodifiableMap(weights);
    }

    /** Puts modules into the blocks, instead of those that were put there before. */
    public void extend(Extension extension) {
        this.extension = extension;
    }

    /** Number of weights. */
    public long parameterCount() {
        return weights.values().stream().mapToLong(Tensor::numel).sum();
    }

    /**
     * Runs the model over new tokens that continue what the cache holds: they take the positions after it, and see it
     * and each other causally. Rows of unequal length are padded at the right: no token sees what comes after it.
     *
     * @param ids int64 [B, T]
     * @param cache takes the new tokens' keys and values
     * @return hidden states after the last normalization, [B, T, E]; {@link #logits} makes predictions of them
     * @throws InputException if positions do not suffice; before anything runs
     */
    public Tensor forward(Tensor ids, KvCache cache) {
        return forwardEmbeddings(wte.forward(ids), cache);
    }

    /**
     * As {@link #forward}, over vectors that stand for tokens.
     *
     * @param embeddings [B, T, E], without positions
     */
    public Tensor forwardEmbeddings(Tensor embeddings, KvCache cache) {
        int past = cache.length();
        int fresh = (int) embeddings.size(1);
        requireRoom(past, fresh, 0);
        Tensor positions = range(past, past + fresh); // [T]
        AttentionMask mask = fresh == 1
                ? AttentionMask.everywhere()
                : past == 0 ? AttentionMask.past() : AttentionMask.only(causalMask(past, fresh));
        Tensor h = embeddings.add(wpe.forward(positions)); // [B, T, E]
        for (Block block : blocks) {
            h = block.forward(h, cache, mask);
        }
        return lnF.forward(h);
    }

    /** Scores of every next token: [..., E] to [..., V]. */
    public Tensor logits(Tensor hidden) {
        return hidden.matmul(head.t());
    }

    /** True where new token t may look at token s of past and new ones: [T, past + T]. */
    private Tensor causalMask(int past, int fresh) {
        Tensor all = torch.ones(new long[] {fresh, past + fresh}, options(torch.ScalarType.Bool));
        return torch.tril(all, past);
    }

    private Tensor range(int from, int to) {
        return torch.arange(new Scalar((long) from), new Scalar((long) to), options(torch.ScalarType.Long));
    }

    /** Numbers as an int64 tensor [N] on the device of the model. */
    public Tensor ids(long[] values) {
        return torch.tensor(values, options(torch.ScalarType.Long));
    }

    /** Numbers as an int64 tensor [rows, N / rows] on the device of the model. */
    public Tensor ids(long[] values, int rows) {
        return ids(values).view(rows, values.length / rows);
    }

    /** Options for a tensor beside the weights. */
    public TensorOptions options(torch.ScalarType type) {
        return new TensorOptions(type).device(new DeviceOptional(device));
    }

    /**
     * Checks that a sequence fits the model.
     *
     * @param past tokens before it, such as the prefix
     * @param tokens of the sequence itself
     * @param toGenerate tokens that are to follow
     * @throws InputException with the budget spelled out
     */
    public void requireRoom(int past, int tokens, int toGenerate) {
        long needed = (long) past + tokens + toGenerate;
        if (needed > config.positions()) {
            throw new InputException(
                    "too long for the model: %d positions of prefix + %d of tokens%s = %d, the model has %d"
                            .formatted(
                                    past,
                                    tokens,
                                    toGenerate == 0 ? "" : " + " + toGenerate + " to generate",
                                    needed,
                                    config.positions()));
        }
    }
}
