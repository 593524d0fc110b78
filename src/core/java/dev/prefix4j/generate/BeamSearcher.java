package dev.prefix4j.generate;

import dev.prefix4j.InputException;
import dev.prefix4j.frozen.Best;
import dev.prefix4j.frozen.FrozenModel;
import dev.prefix4j.frozen.Session;
import dev.prefix4j.model.ModelConfig;
import dev.prefix4j.torch.TensorScope;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.stream.Collectors;

/**
 * Beam search over a batch of prompts; each prompt is searched independently.
 *
 * <p>N prompts, K beams each, V vocabulary. Rows of the batch are the beams, grouped by prompt.
 */
final class BeamSearcher {
    private final Decoding.BeamSearch how;
    private final Set<Integer> endTokens;
    private final int vocabulary;
    private final OutputRules rules;

    BeamSearcher(Decoding.BeamSearch how, ModelConfig config, Set<Integer> ends, OutputRules rules) {
        this.how = how;
        this.endTokens = ends;
        this.vocabulary = config.vocabulary();
        this.rules = rules;
        // Candidates may be finished beams: the others must suffice to continue.
        if (perBeam() * (long) how.beams() > config.vocabulary()) {
            throw new InputException("beams must be at most %s the vocabulary of %d tokens, was %d"
                    .formatted(perBeam() == 2 ? "half" : "1/" + perBeam() + " of", config.vocabulary(), how.beams()));
        }
    }

    /** A sequence of new tokens with the sum of their log-probabilities, or its score once it is finished. */
    private record Beam(int[] ids, float score) {
        Beam with(int token, float score) {
            int[] longer = Arrays.copyOf(ids, ids.length + 1);
            longer[ids.length] = token;
            return new Beam(longer, score);
        }
    }

    /** A beam with one more token, and the sum of its log-probabilities. */
    private record Continuation(int beam, int token, float score) {}

    /** All but K of them may be finished beams. */
    private int candidates() {
        return perBeam() * how.beams();
    }

    /** As in Transformers: enough that at least one beam continues. */
    private int perBeam() {
        return how.likeTransformers3() ? 2 : Math.max(2, 1 + endTokens.size());
    }

    /** The search for one prompt. */
    private final class Search {
        private List<Beam> open = new ArrayList<>(List.of(new Beam(new int[0], 0)));
        private final List<Beam> ended = new ArrayList<>(); // best first, at most K
        private boolean improvable = true;
        private final int[] prompt;
        private int length;

        Search(int[] prompt) {
            this.prompt = prompt;
        }

        Set<Integer> forbidden(Beam beam) {
            Set<Integer> forbidden = rules.forbidden(prompt, beam.ids(), beam.ids().length, vocabulary);
            if (beam.ids().length >= rules.minNewTokens()) {
                return forbidden;
            }
            // Transformers takes the end from among log-probabilities: what is left of them does not become more
            // likely.
            Set<Integer> withEnds = new HashSet<>(forbidden);
            withEnds.addAll(endTokens);
            return withEnds;
        }

        Set<Long> penalized(Beam beam) {
            return Arrays.stream(rules.penalized(prompt, beam.ids(), beam.ids().length))
                    .boxed()
                    .collect(Collectors.toSet());
        }

        /** How many of a beam's most likely tokens are sure to include its best continuations, whatever the rules do. */
        int wanted(Beam beam) {
            return rules.repetitionPenalty() < 1
                    ? vocabulary // a penalty below 1 is a reward and may lift any token
                    : Math.min(
                            candidates()
                                    + forbidden(beam).size()
                                    + penalized(beam).size(),
                            vocabulary);
        }

        boolean isDone() {
            return !improvable || length == rules.maxNewTokens();
        }

        /**
         * Selects the best candidates.
         *
         * @param best the most likely tokens of every row
         * @param row of the first open beam
         * @return the beam that each new open beam continues
         */
        List<Integer> advance(Best best, int row) {
            length++;
            List<Beam> next = new ArrayList<>();
            List<Integer> parents = new ArrayList<>();
            List<Continuation> ranked = continuations(best, row);
            boolean last = length == rules.maxNewTokens();
            for (int rank = 0; rank < ranked.size(); rank++) {
                Continuation one = ranked.get(rank);
                boolean ends = endTokens.contains(one.token()) || (last && !how.likeTransformers3());
                if (!ends && next.size() < how.beams()) {
                    next.add(open.get(one.beam()).with(one.token(), one.score()));
                    parents.add(one.beam());
                }
                if (ends && rank < how.beams()) {
                    end(open.get(one.beam())
                            .with(one.token(), normalized(one.score(), endTokens.contains(one.token()))));
                }
            }
            open = next;
            if (!last || how.likeTransformers3()) {
                boolean full = ended.size() == how.beams();
                improvable = !open.isEmpty()
                        && (!full
                                || normalized(hope(ranked), true)
                                        > ended.getLast().score());
            }
            if (last
                    && how.likeTransformers3()
                    && improvable) { // Transformers 3 considers open beams only if the search is not over
                open.forEach(beam -> end(new Beam(beam.ids(), normalized(beam.score(), false))));
            }
            return parents;
        }

        /** The score that an open beam can still reach; Transformers 3 includes beams that just finished. */
        private float hope(List<Continuation> ranked) {
            return how.likeTransformers3()
                    ? ranked.getFirst().score()
                    : open.getFirst().score();
        }

        /** The best over all beams, best first; each is among its own beam's best. */
        private List<Continuation> continuations(Best best, int row) {
            List<Continuation> all = new ArrayList<>();
            int width = best.tokens().length / best.rows();
            for (int beam = 0; beam < open.size(); beam++) {
                Set<Integer> forbidden = forbidden(open.get(beam));
                Set<Long> penalized = penalized(open.get(beam));
                for (int at = (row + beam) * width; at < (row + beam + 1) * width; at++) {
                    int token = (int) best.tokens()[at];
                    if (!forbidden.contains(token)) {
                        float gain = penalized.contains((long) token)
                                ? rules.penalized(best.values()[at])
                                : best.values()[at];
                        all.add(new Continuation(beam, token, open.get(beam).score() + gain));
                    }
                }
            }
            all.sort(Comparator.comparingDouble(Continuation::score).reversed()); // stable: earlier beams first
            return all.subList(0, Math.min(all.size(), candidates()));
        }

        /** @param ending whether the last token is the end token or still missing */
        private float normalized(float score, boolean ending) {
            int counted = how.likeTransformers3() ? prompt.length + length - (ending ? 1 : 0) : length;
            return (float) (score / Math.pow(counted, how.lengthPenalty()));
        }

        private void end(Beam beam) {
            ended.add(beam);
            ended.sort(Comparator.comparingDouble(Beam::score).reversed()); // stable: earlier ones first
            if (ended.size() > how.beams()) {
                ended.removeLast();
            }
        }

        List<Generation> best(int count) {
            return ended.stream()
                    .limit(count)
                    .map(beam -> {
                        int[] ids = beam.ids();
                        boolean finished = endTokens.contains(ids[ids.length - 1]);
                        return new Generation(
                                finished ? Arrays.copyOf(ids, ids.length - 1) : ids, finished, beam.score());
                    })
                    .toList();
        }
    }

    /**
     * Searches.
     *
     * @param chunks the prompts as the model reads them, one row each
     * @param prompts their tokens
     * @param count outputs for each, best first; at most the number of beams
     */
    List<List<Generation>> search(
            FrozenModel model, Session session, List<Session.Chunk> chunks, List<int[]> prompts, int count) {
        List<Search> searches = prompts.stream().map(Search::new).toList();
        List<Search> running = searches;
        List<Session.Row> rows = chunks.stream().map(Session.Chunk::row).toList();
        long[] tokens = null;
        while (!running.isEmpty()) {
            int wanted = running.stream()
                    .flatMapToInt(search -> search.open.stream().mapToInt(search::wanted))
                    .max()
                    .orElseThrow();
            Best best;
            try (TensorScope _ = new TensorScope()) {
                best = model.best(tokens == null ? session.read(chunks) : session.step(rows, tokens), wanted);
            }
            List<Search> next = new ArrayList<>();
            List<Integer> parents = new ArrayList<>(); // rows that the open beams continue
            int row = 0;
            for (Search search : running) {
                int first = row;
                row += search.open.size();
                List<Integer> own = search.advance(best, first);
                if (!search.isDone()) { // finished searches leave the batch
                    next.add(search);
                    own.forEach(beam -> parents.add(first + beam));
                }
            }
            running = next;
            rows = session.select(
                    rows, parents.stream().mapToInt(Integer::intValue).toArray());
            tokens = next.stream()
                    .flatMap(search -> search.open.stream())
                    .mapToLong(beam -> beam.ids()[beam.ids().length - 1])
                    .toArray();
        }
        return searches.stream().map(search -> search.best(count)).toList();
    }
}
