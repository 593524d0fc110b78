package dev.prefix4j.generate;

import dev.prefix4j.InputException;
import dev.prefix4j.gpt2.Gpt2;
import dev.prefix4j.gpt2.KvCache.KeyValue;
import dev.prefix4j.prefix.Prefix;
import dev.prefix4j.torch.TensorScope;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import org.bytedeco.javacpp.LongPointer;
import org.bytedeco.pytorch.NoGradGuard;
import org.bytedeco.pytorch.Tensor;

/**
 * Continues prompts, with or without a prefix before them. A prompt's output does not depend on the prompts beside it,
 * save for random draws.
 */
public final class Generator {
    private final Gpt2 model;
    private final Optional<Prefix> prefix;

    /** @throws InputException if the prefix is one of another model */
    public Generator(Gpt2 model, Optional<Prefix> prefix) {
        prefix.ifPresent(p -> p.requireFits(model.config(), "prefix"));
        this.model = model;
        this.prefix = prefix;
    }

    /**
     * Continues prompts side by side, until each has ended or has {@code maxNewTokens}.
     *
     * @param prompts ids, at least one each; of any length
     * @param maxNewTokens at least 1
     * @throws InputException if a prompt is empty or too long for the model; before anything runs
     */
    public List<Generation> generate(List<int[]> prompts, Decoding decoding, int maxNewTokens) {
        if (maxNewTokens < 1) {
            throw new InputException("max-new-tokens must be at least 1, was " + maxNewTokens);
        }
        if (prompts.isEmpty()) {
            return List.of();
        }
        for (int i = 0; i < prompts.size(); i++) {
            if (prompts.get(i).length == 0) {
                throw new InputException("prompt " + (i + 1) + ": expected at least one token, found none");
            }
        }
        try (TensorScope _ = new TensorScope();
                NoGradGuard _ = new NoGradGuard()) {
            List<KeyValue> start = prefix.map(Prefix::entries).orElse(List.of());
            PromptBatch batch = new PromptBatch(model, start, prompts, maxNewTokens);
            return switch (decoding) {
                case Decoding.Greedy greedy -> tokenByToken(batch, prompts, greedy, maxNewTokens);
                case Decoding.Sampling sampling -> tokenByToken(batch, prompts, sampling, maxNewTokens);
                case Decoding.BeamSearch search -> new BeamSearcher(search, model.config(), maxNewTokens)
                        .search(batch, prompts);
            };
        }
    }

    private List<Generation> tokenByToken(
            PromptBatch batch, List<int[]> prompts, Decoding decoding, int maxNewTokens) {
        int eos = model.config().eos();
        int[][] ids = new int[batch.rows()][maxNewTokens];
        int[] counts = new int[batch.rows()];
        boolean[] finished = new boolean[batch.rows()];
        long[] tokens = null;
        for (int n = 0; n < maxNewTokens && !all(finished); n++) {
            try (TensorScope _ = new TensorScope()) {
                Tensor logits = n == 0 ? batch.prefill(prompts) : batch.next(tokens); // [B, V]
                tokens = choose(decoding, logits);
            }
            for (int row = 0; row < batch.rows(); row++) {
                if (tokens[row] == eos) {
                    finished[row] = true;
                } else if (!finished[row]) {
                    ids[row][counts[row]++] = (int) tokens[row];
                }
            }
        }
        List<Generation> results = new ArrayList<>();
        for (int row = 0; row < batch.rows(); row++) {
            results.add(new Generation(Arrays.copyOf(ids[row], counts[row]), finished[row]));
        }
        return results;
    }

    private static long[] choose(Decoding decoding, Tensor logits) {
        return switch (decoding) {
            case Decoding.Greedy _ -> longs(org.bytedeco.pytorch.global.torch.argmax(
                    logits, new org.bytedeco.pytorch.LongOptional(1), false));
            case Decoding.Sampling sampling -> longs(Sampler.draw(sampling, logits));
            case Decoding.BeamSearch search -> throw new AssertionError(search);
        };
    }

    /** An int64 tensor as an array. */
    static long[] longs(Tensor tensor) {
        Tensor here = tensor.cpu().contiguous();
        long[] values = new long[(int) here.numel()];
        new LongPointer(here.data_ptr()).get(values);
        return values;
    }

    private static boolean all(boolean[] flags) {
        for (boolean flag : flags) {
            if (!flag) {
                return false;
            }
        }
        return true;
    }
}
