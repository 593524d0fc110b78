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
import java.util.Collections;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.stream.IntStream;
import org.bytedeco.javacpp.FloatPointer;
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
        return generate(prompts, decoding, rules, 1).stream()
                .map(List::getFirst)
                .toList();
    }

    /**
     * Several outputs for each prompt: the best beams, best first, or as many samples.
     *
     * @param count at least 1; at most the beams; greedy decoding has one
     * @return for each prompt as many outputs; fewer only if beam search found fewer
     */
    public List<List<Generation>> generate(List<int[]> prompts, Decoding decoding, OutputRules rules, int count) {
        decoding.requireOutputs(count);
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
                case Decoding.Greedy greedy ->
                    tokenByToken(prompts, greedy, rules).stream().map(List::of).toList();
                case Decoding.Sampling sampling -> {
                    List<int[]> repeated = prompts.stream()
                            .flatMap(prompt -> Collections.nCopies(count, prompt).stream())
                            .toList();
                    List<Generation> all = tokenByToken(repeated, sampling, rules);
                    yield IntStream.range(0, prompts.size())
                            .mapToObj(i -> all.subList(i * count, (i + 1) * count))
                            .toList();
                }
                case Decoding.BeamSearch search ->
                    new BeamSearcher(search, model.config(), conditioned.ends(), rules)
                            .search(decoder(prompts, search.beams(), rules.maxNewTokens(), 0), prompts, count);
            };
        }
    }

    /** @param rows for each prompt */
    private Decoder decoder(List<int[]> prompts, int rows, int maxNewTokens, int minNewTokens) {
        List<int[]> arranged = prompts.stream().map(conditioned::arrange).toList();
        return new Decoder(
                model,
                conditioned.prompt(),
                arranged,
                prompts.size() * rows,
                maxNewTokens,
                minNewTokens,
                conditioned.ends());
    }

    private List<Generation> tokenByToken(List<int[]> prompts, Decoding decoding, OutputRules rules) {
        Set<Integer> ends = conditioned.ends();
        int[][] ids = new int[prompts.size()][rules.maxNewTokens()];
        int[] counts = new int[prompts.size()];
        boolean[] finished = new boolean[prompts.size()];
        double[] scores = new double[prompts.size()];
        Decoder decoder = decoder(prompts, 1, rules.maxNewTokens(), rules.minNewTokens());
        int[] open = IntStream.range(0, prompts.size()).toArray(); // the prompt of each row
        long[] tokens = null;
        for (int n = 0; n < rules.maxNewTokens() && open.length > 0; n++) {
            try (TensorScope _ = new TensorScope()) {
                Tensor logits = n == 0 ? decoder.prefill() : decoder.next(tokens); // [R, V]
                Tensor own = torch.log_softmax(logits, 1); // [R, V], before any rule
                for (int row = 0; row < open.length; row++) {
                    int one = open[row];
                    obey(rules, logits.narrow(0, row, 1), prompts.get(one), ids[one], counts[one]);
                }
                tokens = choose(decoding, logits);
                Tensor chosen = torch.tensor(tokens)
                        .to(own.device(), torch.ScalarType.Long)
                        .unsqueeze(1); // [R, 1]
                float[] gained = floats(torch.gather(own, 1, chosen));
                for (int row = 0; row < open.length; row++) {
                    scores[open[row]] += gained[row];
                }
            }
            for (int row = 0; row < open.length; row++) {
                if (ends.contains((int) tokens[row])) {
                    finished[open[row]] = true;
                } else {
                    ids[open[row]][counts[open[row]]++] = (int) tokens[row];
                }
            }
            int[] rows = open;
            int[] left = IntStream.range(0, rows.length)
                    .filter(row -> !finished[rows[row]])
                    .toArray();
            if (left.length < rows.length) { // who has ended leaves
                long[] chosen = tokens;
                tokens = Arrays.stream(left).mapToLong(row -> chosen[row]).toArray();
                open = Arrays.stream(left).map(row -> rows[row]).toArray();
                decoder.select(left);
            }
        }
        List<Generation> results = new ArrayList<>();
        for (int i = 0; i < prompts.size(); i++) {
            results.add(new Generation(Arrays.copyOf(ids[i], counts[i]), finished[i], scores[i]));
        }
        return results;
    }

    /** Changes the logits of a row, [1, V], in the order of Transformers: the penalty, then what is forbidden. */
    private static void obey(OutputRules rules, Tensor logits, int[] prompt, int[] ids, int count) {
        long[] penalized = rules.penalized(prompt, ids, count);
        if (penalized.length > 0) {
            Scalar penalty = new Scalar(rules.repetitionPenalty());
            Tensor tokens = torch.tensor(penalized).to(logits.device(), torch.ScalarType.Long);
            Tensor scores = torch.index_select(logits, 1, tokens);
            logits.index_copy_(
                    1, tokens, torch.where(scores.lt(new Scalar(0.0)), scores.mul(penalty), scores.div(penalty)));
        }
        for (int token : rules.forbidden(prompt, ids, count, (int) logits.size(1))) {
            logits.narrow(1, token, 1).fill_(new Scalar(Double.NEGATIVE_INFINITY));
        }
    }

    private static long[] choose(Decoding decoding, Tensor logits) {
        return switch (decoding) {
            case Decoding.Greedy _ -> longs(torch.argmax(logits, new LongOptional(1), false));
            case Decoding.Sampling sampling -> longs(Sampler.draw(sampling, logits));
            case Decoding.BeamSearch search -> throw new AssertionError(search);
        };
    }

    /** A float32 tensor as an array. */
    private static float[] floats(Tensor tensor) {
        Tensor here = tensor.cpu().contiguous();
        float[] values = new float[(int) here.numel()];
        new FloatPointer(here.data_ptr()).get(values);
        return values;
    }

    /** An int64 tensor as an array. */
    private static long[] longs(Tensor tensor) {
        Tensor here = tensor.cpu().contiguous();
        long[] values = new long[(int) here.numel()];
        new LongPointer(here.data_ptr()).get(values);
        return values;
    }
}
