package dev.prefix4j.generate;

import dev.prefix4j.InputException;
import dev.prefix4j.gpt2.Gpt2Config;
import dev.prefix4j.torch.TensorScope;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import org.bytedeco.javacpp.FloatPointer;
import org.bytedeco.pytorch.T_TensorTensor_T;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;

/**
 * Beam search over prompts side by side; each prompt's search is its own.
 *
 * <p>N prompts, K beams each, V vocabulary. Rows of the batch are the beams, those of a prompt in a row.
 */
final class BeamSearcher {
    private final Decoding.BeamSearch how;
    private final int eos;
    private final int vocabulary;
    private final int maxNewTokens;

    BeamSearcher(Decoding.BeamSearch how, Gpt2Config config, int maxNewTokens) {
        this.how = how;
        this.eos = config.eos();
        this.vocabulary = config.vocabulary();
        this.maxNewTokens = maxNewTokens;
        // Half of the candidates may be ended beams: the other half must suffice to go on.
        if (2L * how.beams() > vocabulary) {
            throw new InputException("beams must be at most half the vocabulary of %d tokens, was %d"
                    .formatted(vocabulary, how.beams()));
        }
    }

    /** A sequence of new tokens with the sum of their log-probabilities, or its score once it has ended. */
    private record Beam(int[] ids, float score) {
        Beam with(int token, float score) {
            int[] longer = Arrays.copyOf(ids, ids.length + 1);
            longer[ids.length] = token;
            return new Beam(longer, score);
        }
    }

    /** The search for one prompt. */
    private final class Search {
        private List<Beam> open = new ArrayList<>(List.of(new Beam(new int[0], 0)));
        private final List<Beam> ended = new ArrayList<>(); // best first, at most K
        private boolean improvable = true;
        private int length;

        boolean isDone() {
            return !improvable || length == maxNewTokens;
        }

        /**
         * Takes the best 2·K continuations.
         *
         * @param scores of the beams that they make, best first
         * @param choices beam times V plus token
         * @return the beam that each new open beam continues
         */
        int[] advance(float[] scores, long[] choices) {
            length++;
            List<Beam> next = new ArrayList<>();
            List<Integer> parents = new ArrayList<>();
            for (int rank = 0; rank < scores.length; rank++) {
                int parent = (int) (choices[rank] / vocabulary);
                int token = (int) (choices[rank] % vocabulary);
                boolean ends = token == eos || length == maxNewTokens;
                if (!ends && next.size() < how.beams()) {
                    next.add(open.get(parent).with(token, scores[rank]));
                    parents.add(parent);
                }
                if (ends && rank < how.beams()) {
                    end(open.get(parent).with(token, normalized(scores[rank])));
                }
            }
            open = next;
            if (length < maxNewTokens) {
                boolean full = ended.size() == how.beams();
                improvable = !full || normalized(open.getFirst().score()) > ended.getLast().score();
            }
            return parents.stream().mapToInt(Integer::intValue).toArray();
        }

        private float normalized(float score) {
            return (float) (score / Math.pow(length, how.lengthPenalty()));
        }

        private void end(Beam beam) {
            ended.add(beam);
            ended.sort(Comparator.comparingDouble(Beam::score).reversed()); // stable: earlier ones first
            if (ended.size() > how.beams()) {
                ended.removeLast();
            }
        }

        Generation best() {
            int[] ids = ended.getFirst().ids();
            boolean finished = ids[ids.length - 1] == eos;
            return new Generation(finished ? Arrays.copyOf(ids, ids.length - 1) : ids, finished);
        }
    }

    /** Searches from prompts that have not been read yet. */
    List<Generation> search(PromptBatch prompts, List<int[]> ids) {
        List<Search> searches = new ArrayList<>();
        for (int i = 0; i < prompts.rows(); i++) {
            searches.add(new Search());
        }
        int beams = how.beams();
        try (TensorScope _ = new TensorScope()) {
            advance(searches, prompts.prefill(ids), 1);
        }
        PromptBatch batch = prompts.repeat(beams);
        while (searches.stream().anyMatch(s -> !s.isDone())) {
            long[] tokens = new long[batch.rows()];
            for (int i = 0; i < searches.size(); i++) {
                Search search = searches.get(i);
                for (int beam = 0; beam < beams; beam++) {
                    int[] path = search.open.isEmpty() ? new int[] {eos} : search.open.get(beam).ids();
                    tokens[i * beams + beam] = path[path.length - 1];
                }
            }
            try (TensorScope _ = new TensorScope()) {
                batch.reorder(advance(searches, batch.next(tokens), beams));
            }
        }
        return searches.stream().map(Search::best).toList();
    }

    /**
     * Takes every search a token further.
     *
     * @param logits [N·rows, V]
     * @param rows beams that each search has open: 1 at first, then K
     * @return for each row of the next step the row that it continues
     */
    private long[] advance(List<Search> searches, Tensor logits, int rows) {
        int n = searches.size();
        float[] sums = new float[n * rows];
        for (int i = 0; i < n; i++) {
            for (int beam = 0; beam < rows && beam < searches.get(i).open.size(); beam++) {
                sums[i * rows + beam] = searches.get(i).open.get(beam).score();
            }
        }
        Tensor scores = torch.log_softmax(logits, 1)
                .add(torch.tensor(sums).view(n * rows, 1).to(logits.device(), logits.scalar_type()))
                .view(n, (long) rows * vocabulary); // [N, rows·V]
        T_TensorTensor_T top = torch.topk(scores, 2L * how.beams(), 1, true, true); // [N, 2·K]
        long[] choices = Generator.longs(top.get1());
        float[] best = floats(top.get0());
        long[] parents = new long[n * how.beams()];
        for (int i = 0; i < n; i++) {
            int from = i * 2 * how.beams();
            int to = from + 2 * how.beams();
            Search search = searches.get(i);
            int[] own = search.isDone()
                    ? new int[0]
                    : search.advance(Arrays.copyOfRange(best, from, to), Arrays.copyOfRange(choices, from, to));
            for (int beam = 0; beam < how.beams(); beam++) {
                parents[i * how.beams() + beam] = (long) i * rows + (beam < own.length ? own[beam] : 0);
            }
        }
        return parents;
    }

    private static float[] floats(Tensor tensor) {
        Tensor here = tensor.cpu().contiguous();
        float[] values = new float[(int) here.numel()];
        new FloatPointer(here.data_ptr()).get(values);
        return values;
    }
}
