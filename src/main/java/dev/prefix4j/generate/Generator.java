package dev.prefix4j.generate;

import dev.prefix4j.InputException;
import dev.prefix4j.frozen.Conditioned;
import dev.prefix4j.frozen.Decoder;
import dev.prefix4j.frozen.FrozenGpt2;
import dev.prefix4j.frozen.Precision;
import dev.prefix4j.frozen.SoftPrompt;
import dev.prefix4j.gpt2.Gpt2;
import dev.prefix4j.prefix.Prefix;
import dev.prefix4j.torch.TensorScope;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.stream.IntStream;
import org.bytedeco.javacpp.LongPointer;
import org.bytedeco.pytorch.LongOptional;
import org.bytedeco.pytorch.NoGradGuard;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;

/**
 * Continues prompts, with or without a prefix before them. A prompt's output does not depend on the prompts beside it,
 * save for random draws.
 */
public final class Generator {
    private final Conditioned conditioned;
    private final FrozenGpt2 model;

    /**
     * In float32.
     *
     * @throws InputException if the prefix is one of another model
     */
    public Generator(Gpt2 model, Optional<Prefix> prefix) {
        this(new FrozenGpt2(model, FrozenGpt2.Options.of(model, Precision.FP32).forDecoding()), prefix);
    }

    /** @throws InputException if the prefix is one of another model */
    public Generator(FrozenGpt2 model, Optional<Prefix> prefix) {
        this(prefix.map(p -> {
                    p.requireFits(model.config(), "prefix");
                    return new Conditioned(model, SoftPrompt.prefix(p.vectors(), model.config()));
                })
                .orElseGet(() -> Conditioned.plain(model)));
    }

    /** @param model must stay open */
    public Generator(Conditioned model) {
        this.conditioned = model;
        this.model = model.model();
    }

    /**
     * Continues prompts side by side, until each has ended or has {@code maxNewTokens}.
     *
     * @param prompts ids, at least one each; of any length
     * @param maxNewTokens at least 1
     * @throws InputException if a prompt is empty or too long for the model; before anything runs
     */
    public List<Generation> generate(List<int[]> prompts, Decoding decoding, int maxNewTokens) {
        return generate(prompts, decoding, OutputRules.atMost(maxNewTokens));
    }

    /** As {@link #generate(List, Decoding, int)}. */
    public List<Generation> generate(List<int[]> prompts, Decoding decoding, OutputRules rules) {
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
            return switch (decoding) {
                case Decoding.Greedy greedy -> tokenByToken(prompts, greedy, rules);
                case Decoding.Sampling sampling -> tokenByToken(prompts, sampling, rules);
                case Decoding.BeamSearch search -> new BeamSearcher(search, model.config(), conditioned.ends(), rules)
                        .search(decoder(prompts, search.beams(), rules), prompts);
            };
        }
    }

    /** @param rows for each prompt */
    private Decoder decoder(List<int[]> prompts, int rows, OutputRules rules) {
        List<int[]> arranged = prompts.stream().map(conditioned::arrange).toList();
        return new Decoder(
                model, conditioned.prompt(), arranged, prompts.size() * rows, rules.maxNewTokens(), rules.minNewTokens(),
                conditioned.ends());
    }

    private List<Generation> tokenByToken(List<int[]> prompts, Decoding decoding, OutputRules rules) {
        Set<Integer> ends = conditioned.ends();
        int[][] ids = new int[prompts.size()][rules.maxNewTokens()];
        int[] counts = new int[prompts.size()];
        boolean[] finished = new boolean[prompts.size()];
        Decoder decoder = decoder(prompts, 1, rules);
        int[] open = IntStream.range(0, prompts.size()).toArray(); // the prompt of each row
        long[] tokens = null;
        for (int n = 0; n < rules.maxNewTokens() && open.length > 0; n++) {
            try (TensorScope _ = new TensorScope()) {
                Tensor logits = n == 0 ? decoder.prefill() : decoder.next(tokens); // [R, V]
                for (int row = 0; row < open.length; row++) {
                    for (int token : rules.forbidden(ids[open[row]], counts[open[row]])) {
                        logits.narrow(0, row, 1).narrow(1, token, 1).fill_(new Scalar(Double.NEGATIVE_INFINITY));
                    }
                }
                tokens = choose(decoding, logits);
            }
            for (int row = 0; row < open.length; row++) {
                if (ends.contains((int) tokens[row])) {
                    finished[open[row]] = true;
                } else {
                    ids[open[row]][counts[open[row]]++] = (int) tokens[row];
                }
            }
            int[] rows = open;
            int[] left = IntStream.range(0, rows.length).filter(row -> !finished[rows[row]]).toArray();
            if (left.length < rows.length) { // who has ended leaves
                long[] chosen = tokens;
                tokens = Arrays.stream(left).mapToLong(row -> chosen[row]).toArray();
                open = Arrays.stream(left).map(row -> rows[row]).toArray();
                decoder.select(left);
            }
        }
        List<Generation> results = new ArrayList<>();
        for (int i = 0; i < prompts.size(); i++) {
            results.add(new Generation(Arrays.copyOf(ids[i], counts[i]), finished[i]));
        }
        return results;
    }

    private static long[] choose(Decoding decoding, Tensor logits) {
        return switch (decoding) {
            case Decoding.Greedy _ -> longs(torch.argmax(logits, new LongOptional(1), false));
            case Decoding.Sampling sampling -> longs(Sampler.draw(sampling, logits));
            case Decoding.BeamSearch search -> throw new AssertionError(search);
        };
    }

    /** An int64 tensor as an array. */
    private static long[] longs(Tensor tensor) {
        Tensor here = tensor.cpu().contiguous();
        long[] values = new long[(int) here.numel()];
        new LongPointer(here.data_ptr()).get(values);
        return values;
    }
}
