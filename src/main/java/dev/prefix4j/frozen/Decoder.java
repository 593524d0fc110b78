package dev.prefix4j.frozen;

import dev.prefix4j.gpt2.Gpt2Config;
import dev.prefix4j.torch.TensorScope;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import org.bytedeco.javacpp.FloatPointer;
import org.bytedeco.javacpp.LongPointer;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;

/**
 * Prompts that are continued token by token, several rows for each if wanted. The prefix is held once, a prompt once for
 * all of its rows, and a row that goes on from another one takes over a list of numbers, not keys and values.
 *
 * <p>Its buffers belong to the scope in which it was made. R rows, E width, V vocabulary.
 */
public final class Decoder {
    private final FrozenGpt2 model;
    private final SoftPrompt prompt;
    private final List<int[]> prompts;
    private final List<Tensor> store = new ArrayList<>(); // by layer, [places, 2E]
    private final int[] lengths;
    private final int maxNewTokens;
    private final int minNewTokens;
    private final Set<Integer> ends;
    private Paths paths;
    private int generations;

    /** With a prefix [P, 2·L·E], as {@code PrefixShape} lays it out; P may be 0. */
    public Decoder(FrozenGpt2 model, Tensor prefix, List<int[]> prompts, int rows, int maxNewTokens, int minNewTokens) {
        this(model, SoftPrompt.prefix(prefix, model.config()), prompts, rows, maxNewTokens, minNewTokens);
    }

    /** That ends as targets do. */
    public Decoder(
            FrozenGpt2 model, SoftPrompt prompt, List<int[]> prompts, int rows, int maxNewTokens, int minNewTokens) {
        this(
                model,
                prompt,
                prompts,
                rows,
                maxNewTokens,
                minNewTokens,
                model.config().endsOfTargets());
    }

    /**
     * @param prompt what the model sees besides words
     * @param prompts ids, at least one each; with an infix, the last one stands behind it
     * @param rows most rows that there will be
     * @param maxNewTokens most tokens that will be added to each
     * @param minNewTokens so many come before an end token
     * @param ends tokens that end an output
     * @throws dev.prefix4j.InputException if a prompt is too long for the model
     */
    public Decoder(
            FrozenGpt2 model,
            SoftPrompt prompt,
            List<int[]> prompts,
            int rows,
            int maxNewTokens,
            int minNewTokens,
            Set<Integer> ends) {
        this.model = model;
        this.ends = Set.copyOf(ends);
        this.prompt = prompt.withoutGraph();
        this.prompts = List.copyOf(prompts);
        this.maxNewTokens = maxNewTokens;
        this.minNewTokens = minNewTokens;
        this.lengths = prompts.stream().mapToInt(p -> p.length).toArray();
        Tensor prefix = prompt.activations();
        int past = prompt.length();
        model.requireRoom(past, Arrays.stream(lengths).max().orElseThrow(), maxNewTokens);
        long[] offsets = new long[prompts.size() + 1];
        int[] input = new int[prompts.size()];
        for (int i = 0; i < lengths.length; i++) {
            offsets[i + 1] = offsets[i] + lengths[i];
            input[i] = i;
        }
        this.paths = new Paths(past, offsets, input, new int[lengths.length][maxNewTokens], rows);
        Gpt2Config config = model.config();
        long width = config.width();
        for (int layer = 0; layer < config.layers(); layer++) {
            Tensor places = torch.empty(new long[] {paths.generation(maxNewTokens), 2 * width}, prefix.options(), null);
            places.narrow(0, 0, past).copy_(prefix.narrow(1, 2L * layer * width, 2 * width));
            store.add(places);
        }
    }

    /** Rows now: one for each prompt at first. */
    public int rows() {
        return paths.rows();
    }

    /**
     * Reads the prompts.
     *
     * @return logits of the first new token, [R, V]
     */
    public Tensor prefill() {
        try (TensorScope scope = new TensorScope()) {
            return scope.keep(withoutEarlyEnd(model.prefill(prompts, paths, prompt, store)));
        }
    }

    /**
     * Goes on with other rows: row i becomes what row parents[i] is. Rows may repeat, and be left out.
     *
     * @param parents at most as many as rows were announced
     */
    public void select(int[] parents) {
        if (parents.length > paths.capacity()) {
            throw new IllegalArgumentException(
                    "decoder: expected at most " + paths.capacity() + " rows, got " + parents.length);
        }
        paths = paths.select(parents);
    }

    /**
     * Adds a token to every row.
     *
     * @param tokens [R]
     * @return logits of the next token, [R, V]
     */
    public Tensor next(long[] tokens) {
        if (generations == maxNewTokens) {
            throw new IllegalStateException("decoder: expected at most " + maxNewTokens + " tokens");
        }
        long[] positions = new long[rows()];
        for (int row = 0; row < positions.length; row++) {
            positions[row] = (long) paths.prefix() + lengths[paths.input()[row]] + generations;
            paths.beam()[row][generations] = row;
        }
        generations++;
        try (TensorScope scope = new TensorScope()) {
            return scope.keep(withoutEarlyEnd(model.next(tokens, positions, paths, generations, prompt, store)));
        }
    }

    private Tensor withoutEarlyEnd(Tensor logits) {
        if (generations < minNewTokens) {
            for (int end : ends) {
                logits.narrow(1, end, 1).fill_(new Scalar(Double.NEGATIVE_INFINITY));
            }
        }
        return logits;
    }

    /**
     * The likeliest next tokens.
     *
     * @param rows R
     * @param values log-probabilities of a row, best first, row by row, [R·k]
     * @param tokens [R·k]
     */
    public record Best(int rows, float[] values, long[] tokens) {}

    /** The k likeliest tokens for each row of logits [R, V]. */
    public Best best(Tensor logits, int k) {
        try (TensorScope _ = new TensorScope()) {
            Operators.Top top = model.operators().top(logits, k);
            int rows = (int) logits.size(0);
            int count = rows * k;
            float[] values = new float[count];
            long[] tokens = new long[count];
            Tensor scores = top.values().cpu().contiguous();
            Tensor indices = top.indices().cpu().contiguous();
            new FloatPointer(scores.data_ptr()).get(values);
            new LongPointer(indices.data_ptr()).get(tokens);
            return new Best(rows, values, tokens);
        }
    }
}
