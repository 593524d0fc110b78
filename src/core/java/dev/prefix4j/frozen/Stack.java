package dev.prefix4j.frozen;

import dev.prefix4j.frozen.FrozenBlock.KeyGradients;
import dev.prefix4j.frozen.FrozenBlock.Result;
import dev.prefix4j.frozen.InputLayer.Input;
import dev.prefix4j.frozen.Operators.Moments;
import dev.prefix4j.frozen.Operators.Normalized;
import dev.prefix4j.kernels.Attention;
import dev.prefix4j.model.BaseModel;
import dev.prefix4j.model.BlockWeights.NormWeights;
import dev.prefix4j.model.ModelConfig;
import dev.prefix4j.torch.Safetensors;
import dev.prefix4j.torch.TensorScope;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * The blocks of a model, the normalization after them, and the head.
 *
 * <p>N tokens, M of them requested, R rows that are being decoded, L layers, E width, V vocabulary.
 */
final class Stack {
    private final ModelConfig config;
    private final Attention.Heads heads;
    private final Operators operators;
    private final List<FrozenBlock> blocks = new ArrayList<>();
    private final NormWeights norm;
    private final Head head;

    /** @param model must stay open */
    Stack(BaseModel model, Operators operators, WeightForm form) {
        this.config = model.config();
        this.operators = operators;
        this.heads = new Attention.Heads(
                config.heads(),
                config.keyHeads(),
                config.headWidth(),
                config.attention().rotary().map(rotary -> rotary.columns()).orElse(0));
        this.norm = model.norm();
        // The largest first: while it is copied, little else is in memory.
        Tensor words = model.head(); // [V, E]
        this.head = Head.of(words, operators, form);
        if (form.copies()) {
            Safetensors.evict(words);
        }
        for (int layer = 0; layer < config.layers(); layer++) {
            blocks.add(FrozenBlock.of(config, operators, model.block(layer), form, last(layer)));
        }
    }

    /** L. */
    int layers() {
        return config.layers();
    }

    Operators operators() {
        return operators;
    }

    Head head() {
        return head;
    }

    private boolean last(int layer) {
        return layer == config.layers() - 1;
    }

    private BlockRows rows(int layer, Input input, Extended extended) {
        Packing packing = new Packing(
                heads,
                config.attentionScale(layer),
                layer,
                input.offsets(),
                last(layer) ? Optional.of(input.queries()) : Optional.empty(),
                input.seen());
        return new BlockRows(packing, input.turns(), last(layer) ? input.asked() : null, extended);
    }

    /** The forward pass through a block; in the last one only the rows that predict a target have queries. */
    Result forward(int layer, Tensor x, Input input, Extended extended) {
        return blocks.get(layer).forward(x, rows(layer, input, extended));
    }

    /** The backward pass of {@link #forward}; dy is overwritten. Parameters and result as in {@link FrozenBlock#backward}. */
    @Nullable
    Tensor backward(
            int layer,
            Tensor dy,
            Saved saved,
            Input input,
            Extended extended,
            boolean through,
            @Nullable KeyGradients own) {
        return blocks.get(layer).backward(dy, saved, rows(layer, input, extended), through, own);
    }

    /** The backward pass through the last block when its output is not used. */
    Tensor backward(KeyGradients own, Saved saved, Input input, Extended extended) {
        return blocks.getLast().backward(own, saved, rows(config.layers() - 1, input, extended));
    }

    /** Hidden states after the last block and the final normalization, of the requested rows, [M, E]. */
    Rows hidden(Input input, Extended extended) {
        Tensor x = input.x();
        for (int layer = 0; layer < blocks.size(); layer++) {
            try (TensorScope inner = new TensorScope()) {
                x = inner.keep(forward(layer, x, input, extended).y());
            }
        }
        return normalize(x).rows();
    }

    /**
     * Reads tokens into a pool.
     *
     * @param places int64 [N], where the keys and values are written in the pool
     * @return logits of the requested rows, [M, V]
     */
    Tensor read(Input input, Tensor places, Stored pool, Extended extended) {
        Tensor x = input.x();
        for (int layer = 0; layer < blocks.size(); layer++) {
            try (TensorScope inner = new TensorScope()) {
                Result result = forward(layer, x, input, extended);
                Saved.Heads own = result.saved().heads();
                pool.write(layer, places, own.k(), own.v());
                x = inner.keep(result.y());
            }
        }
        return head.logits(normalize(x).rows());
    }

    /**
     * One more token for each row.
     *
     * @param x [R, E]
     * @param places int64 [R], in the pool
     * @return logits, [R, V]
     */
    Tensor step(
            Tensor x, @Nullable Turns turns, List<List<Segment>> seen, Tensor places, Stored pool, Extended extended) {
        Tensor y = x;
        for (int layer = 0; layer < blocks.size(); layer++) {
            try (TensorScope inner = new TensorScope()) {
                Sight sight = new Sight(heads, config.attentionScale(layer), layer, seen);
                y = inner.keep(blocks.get(layer).step(y, sight, turns, pool, places, extended));
            }
        }
        return head.logits(normalize(y).rows());
    }

    Normalized normalize(Tensor x) {
        return operators.normalize(x, norm, config.norm(), head.form());
    }

    /** Adds the gradient of {@link #normalize} to dx. */
    void normalizeBackward(Tensor dy, Tensor x, Moments of, Tensor dx) {
        operators.normalizeBackward(dy, x, norm, of, dx);
    }
}
