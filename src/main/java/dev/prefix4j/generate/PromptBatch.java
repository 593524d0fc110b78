package dev.prefix4j.generate;

import dev.prefix4j.gpt2.Gpt2;
import dev.prefix4j.gpt2.KvCache;
import dev.prefix4j.gpt2.KvCache.KeyValue;
import dev.prefix4j.torch.TensorScope;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;

/**
 * Prompts that are decoded side by side: their cache, and where each row stands in it.
 *
 * <p>Prompts of unequal length are padded at the right. What is padding stays in the cache and is masked; new tokens
 * follow behind the longest prompt, with the positions that they have in their own row.
 *
 * <p>B rows, W length of the longest prompt, P length of the prefix, V vocabulary.
 */
final class PromptBatch {
    private final Gpt2 model;
    private final int[] lengths; // of the prompts, by row
    private final int prefixLength;
    private final int width;
    private final int capacity;
    private final boolean ragged;
    private KvCache.Buffered cache;
    private Tensor visible; // bool [B, 1, 1, capacity]: what new tokens may look at
    private int generated;

    /**
     * @param prefix for each layer [1, H, P, D]; empty: none
     * @param maxNewTokens that will be added to each prompt
     */
    PromptBatch(Gpt2 model, List<KeyValue> prefix, List<int[]> prompts, int maxNewTokens) {
        this.model = model;
        this.lengths = prompts.stream().mapToInt(p -> p.length).toArray();
        this.width = Arrays.stream(lengths).max().orElseThrow();
        this.prefixLength = prefix.isEmpty() ? 0 : (int) prefix.getFirst().key().size(2);
        this.capacity = prefixLength + width + maxNewTokens;
        this.ragged = Arrays.stream(lengths).anyMatch(n -> n != width);
        model.requireRoom(prefixLength, width, maxNewTokens);
        this.cache = new KvCache.Buffered(
                model.config(), prefix, prompts.size(), capacity, model.options(torch.ScalarType.Float));
        this.visible = ragged ? visibleColumns() : null;
    }

    private Tensor visibleColumns() {
        byte[] columns = new byte[lengths.length * capacity];
        for (int row = 0; row < lengths.length; row++) {
            int from = row * capacity;
            Arrays.fill(columns, from, from + prefixLength + lengths[row], (byte) 1);
            Arrays.fill(columns, from + prefixLength + width, from + capacity, (byte) 1);
        }
        return torch.tensor(columns)
                .view(lengths.length, 1, 1, capacity)
                .to(model.device(), torch.ScalarType.Bool);
    }

    int rows() {
        return lengths.length;
    }

    /**
     * Reads the prompts.
     *
     * @return logits of the first new token, [B, V]
     */
    Tensor prefill(List<int[]> prompts) {
        long[] ids = new long[rows() * width];
        long[] last = new long[rows()];
        Arrays.fill(ids, model.config().eos());
        for (int row = 0; row < rows(); row++) {
            for (int i = 0; i < lengths[row]; i++) {
                ids[row * width + i] = prompts.get(row)[i];
            }
            last[row] = (long) row * width + lengths[row] - 1;
        }
        try (TensorScope scope = new TensorScope()) {
            // Causal is enough: what follows a row's own tokens is invisible to them.
            Tensor hidden = model.forward(model.ids(ids, rows()), cache); // [B, W, E]
            Tensor ends = torch.index_select(hidden.view(-1, hidden.size(2)), 0, model.ids(last)); // [B, E]
            return scope.keep(model.logits(ends));
        }
    }

    /**
     * Adds a token to every row.
     *
     * @param tokens [B]
     * @return logits of the next token, [B, V]
     */
    Tensor next(long[] tokens) {
        long[] positions = new long[rows()];
        for (int row = 0; row < rows(); row++) {
            positions[row] = (long) prefixLength + lengths[row] + generated;
        }
        generated++;
        try (TensorScope scope = new TensorScope()) {
            Optional<Tensor> mask =
                    ragged ? Optional.of(visible.narrow(3, 0, prefixLength + width + generated)) : Optional.empty();
            Tensor hidden = model.forward(
                    model.ids(tokens, rows()), model.ids(positions, rows()), cache, mask); // [B, 1, E]
            return scope.keep(model.logits(hidden.view(rows(), -1)));
        }
    }

    /**
     * A batch in which each row stands several times in a row.
     *
     * @param times at least 1
     */
    PromptBatch repeat(int times) {
        return new PromptBatch(this, times);
    }

    private PromptBatch(PromptBatch other, int times) {
        this.model = other.model;
        this.prefixLength = other.prefixLength;
        this.width = other.width;
        this.capacity = other.capacity;
        this.ragged = other.ragged;
        this.generated = other.generated;
        this.lengths = new int[other.rows() * times];
        long[] rows = new long[lengths.length];
        for (int row = 0; row < rows.length; row++) {
            rows[row] = row / times;
            lengths[row] = other.lengths[row / times];
        }
        Tensor index = model.ids(rows);
        this.cache = other.cache.select(index);
        this.visible = ragged ? torch.index_select(other.visible, 0, index) : null;
    }

    /** Rearranges rows that belong to the same prompt. */
    void reorder(long[] rows) {
        try (TensorScope _ = new TensorScope()) {
            cache.reorder(model.ids(rows));
        }
    }
}
