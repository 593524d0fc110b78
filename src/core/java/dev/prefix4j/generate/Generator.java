package dev.prefix4j.generate;

import dev.prefix4j.InputException;
import dev.prefix4j.frozen.Conditioned;
import dev.prefix4j.frozen.FrozenModel;
import dev.prefix4j.frozen.Precision;
import dev.prefix4j.frozen.Run;
import dev.prefix4j.frozen.Session;
import dev.prefix4j.frozen.SoftPrompt;
import dev.prefix4j.model.BaseModel;
import dev.prefix4j.prefix.Prefix;
import dev.prefix4j.torch.TensorScope;
import java.util.ArrayList;
import java.util.Arrays;
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
 * Continues prompts, with or without a prefix. A prompt's output does not depend on the rest of the batch,
 * except for random draws.
 */
public final class Generator {
    private final Conditioned conditioned;
    private final FrozenModel model;

    /**
     * In float32.
     *
     * @throws InputException if the prefix is one of another model
     */
    public Generator(BaseModel model, Optional<Prefix> prefix) {
        this(
                new FrozenModel(
                        model, FrozenModel.Options.of(model, Precision.FP32).forDecoding()),
                prefix);
    }

    /** @throws InputException if the prefix is one of another model */
    public Generator(FrozenModel model, Optional<Prefix> prefix) {
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
     * Continues a batch of prompts until each is finished or has {@code maxNewTokens}.
     *
     * @param prompts ids, at least one each, of any length
     * @param maxNewTokens at least 1
     * @throws InputException if a prompt is empty or too long for the model; checked first
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
     * @param count at least 1; at most the number of beams; 1 for greedy decoding
     * @return that many outputs for each prompt; fewer only if beam search found fewer
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
        int rows = decoding instanceof Decoding.BeamSearch search ? search.beams() : count;
        List<int[]> arranged = prompts.stream().map(conditioned::arrange).toList();
        int longest = arranged.stream().mapToInt(prompt -> prompt.length).max().orElseThrow();
        model.requireRoom(conditioned.prompt().length(), longest, rules.maxNewTokens());
        try (TensorScope _ = new TensorScope();
                NoGradGuard _ = new NoGradGuard();
                Run run = conditioned.run();
                Session session = new Session(model, pages(run, arranged, rules, rows))) {
            List<Session.Chunk> chunks = new ArrayList<>();
            for (int[] prompt : arranged) {
                Session.Row row = session.admit(conditioned.seen(run, prompt.length), most(prompt, rules));
                chunks.add(Session.Chunk.prompt(row, prompt, conditioned.vectors()));
            }
            return switch (decoding) {
                case Decoding.BeamSearch search ->
                    new BeamSearcher(search, model.config(), conditioned.ends(), rules)
                            .search(model, session, chunks, prompts, count);
                case Decoding.Greedy _, Decoding.Sampling _ -> {
                    List<Generation> all = tokenByToken(session, chunks, prompts, decoding, rules, count);
                    yield IntStream.range(0, prompts.size())
                            .mapToObj(i -> all.subList(i * count, (i + 1) * count))
                            .toList();
                }
            };
        }
    }

    /** Tokens of a row that are read; the last new one is not. */
    private static int most(int[] prompt, OutputRules rules) {
        return prompt.length + rules.maxNewTokens() - 1;
    }

    /** Pages for all rows: rows of a prompt share its full pages. */
    private static int pages(Run run, List<int[]> prompts, OutputRules rules, int rows) {
        int pages = Session.pagesFor(run.length());
        for (int[] prompt : prompts) {
            int shared = prompt.length / Session.PAGE;
            pages += shared + rows * (Session.pagesFor(most(prompt, rules)) - shared);
        }
        return pages;
    }

    /**
     * Greedy or by sampling.
     *
     * @param count outputs for each prompt, adjacent
     */
    private List<Generation> tokenByToken(
            Session session,
            List<Session.Chunk> chunks,
            List<int[]> prompts,
            Decoding decoding,
            OutputRules rules,
            int count) {
        Set<Integer> ends = conditioned.ends();
        Outputs outputs = new Outputs(prompts.size() * count, rules.maxNewTokens());
        int[] open = IntStream.range(0, prompts.size() * count).toArray(); // the output of each row
        List<Session.Row> rows = List.of();
        long[] tokens = new long[0]; // chosen last, one for each row
        for (int n = 0; n < rules.maxNewTokens() && open.length > 0; n++) {
            float[] gained;
            try (TensorScope _ = new TensorScope()) {
                Tensor logits; // [R, V]
                if (n == 0) {
                    int[] prompt = Arrays.stream(open).map(i -> i / count).toArray();
                    Tensor read = session.read(chunks); // a row for each prompt
                    logits = count == 1
                            ? read
                            : torch.index_select(
                                    read, 0, torch.tensor(prompt).to(read.device(), torch.ScalarType.Long));
                    rows = session.select(
                            chunks.stream().map(Session.Chunk::row).toList(), prompt);
                } else {
                    logits = session.step(rows, tokens);
                }
                if (n < rules.minNewTokens()) {
                    for (int end : ends) {
                        logits.narrow(1, end, 1).fill_(new Scalar(Double.NEGATIVE_INFINITY));
                    }
                }
                Tensor own = torch.log_softmax(logits, 1); // [R, V], before any rule
                for (int row = 0; row < open.length; row++) {
                    obey(rules, logits.narrow(0, row, 1), prompts.get(open[row] / count), outputs, open[row]);
                }
                tokens = choose(decoding, logits);
                Tensor chosen = torch.tensor(tokens)
                        .to(own.device(), torch.ScalarType.Long)
                        .unsqueeze(1); // [R, 1]
                gained = floats(torch.gather(own, 1, chosen));
            }
            for (int row = 0; row < open.length; row++) {
                outputs.add(open[row], (int) tokens[row], gained[row], ends);
            }
            int[] all = open;
            int[] left = IntStream.range(0, all.length)
                    .filter(row -> !outputs.finished[all[row]])
                    .toArray();
            if (left.length < all.length) { // finished rows leave the batch
                long[] chosen = tokens;
                tokens = Arrays.stream(left).mapToLong(row -> chosen[row]).toArray();
                open = Arrays.stream(left).map(row -> all[row]).toArray();
                rows = session.select(rows, left);
            }
        }
        return outputs.generations();
    }

    /** Outputs that grow token by token. */
    private static final class Outputs {
        private final int[][] ids; // of each output, as many as counts says
        private final int[] counts;
        private final boolean[] finished;
        private final double[] scores;

        Outputs(int outputs, int maxNewTokens) {
            ids = new int[outputs][maxNewTokens];
            counts = new int[outputs];
            finished = new boolean[outputs];
            scores = new double[outputs];
        }

        /** Adds a token to an output, or ends it. */
        void add(int output, int token, double score, Set<Integer> ends) {
            scores[output] += score;
            if (ends.contains(token)) {
                finished[output] = true;
            } else {
                ids[output][counts[output]++] = token;
            }
        }

        List<Generation> generations() {
            return IntStream.range(0, ids.length)
                    .mapToObj(i -> new Generation(Arrays.copyOf(ids[i], counts[i]), finished[i], scores[i]))
                    .toList();
        }
    }

    /** Changes the logits of a row, [1, V], in the order of Transformers: the penalty, then forbidden tokens. */
    private static void obey(OutputRules rules, Tensor logits, int[] prompt, Outputs outputs, int output) {
        int[] ids = outputs.ids[output];
        int count = outputs.counts[output];
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
