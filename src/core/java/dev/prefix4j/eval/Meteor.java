package dev.prefix4j.eval;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.Collections;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import opennlp.tools.stemmer.snowball.SnowballStemmer;
import org.jspecify.annotations.Nullable;

/**
 * METEOR from 0 to 1 with the parameters of version 1.5 for English (Denkowski and Lavie 2014, "Meteor Universal"): words
 * match if they are equal, have the same stem, or share a meaning in WordNet. Phrase matches from version 1.5's
 * paraphrase table are left out, since the table is not bundled: {@link #STAGES} says so wherever a score is shown.
 *
 * <p>Words are as the COCO caption code passes them to its METEOR. Function words are our own list by METEOR's definition;
 * {@code scripts/fixtures/function_words.py} derives it.
 */
final class Meteor implements Scorer {
    static final String STAGES = "exact, stem, synonym; no paraphrases";

    private static final double ALPHA = 0.85;
    private static final double BETA = 0.2;
    private static final double GAMMA = 0.6;
    private static final double DELTA = 0.75;
    private static final int BEAM = 40;

    private static final Set<String> FUNCTION_WORDS = functionWords();

    private final SnowballStemmer stemmer = new SnowballStemmer(SnowballStemmer.ALGORITHM.ENGLISH);
    private final Map<String, Word> known = new HashMap<>();
    private final List<List<List<Word>>> references;

    /** How two words match, and the weight of such a match. */
    private enum Stage {
        EXACT(1),
        STEM(0.6),
        SYNONYM(0.8);

        private final double weight;

        Stage(double weight) {
            this.weight = weight;
        }
    }

    /**
     * A word and the forms it is compared by.
     *
     * @param weight of a content word or a function word
     */
    private record Word(String text, String stem, Set<Integer> synsets, double weight) {
        /** @return null if they do not match */
        @Nullable
        Stage match(Word other) {
            if (text.equals(other.text)) {
                return Stage.EXACT;
            }
            if (stem.equals(other.stem)) {
                return Stage.STEM;
            }
            return Collections.disjoint(synsets, other.synsets) ? null : Stage.SYNONYM;
        }
    }

    Meteor(List<List<String>> references) {
        this.references = references.stream()
                .map(texts -> texts.stream().map(this::words).toList())
                .toList();
    }

    private static Set<String> functionWords() {
        InputStream stream = Meteor.class.getResourceAsStream("function-words.txt");
        try (BufferedReader lines = new BufferedReader(new InputStreamReader(stream, StandardCharsets.UTF_8))) {
            return lines.lines().collect(Collectors.toSet());
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private List<Word> words(String text) {
        return PtbTokenizer.cocoWords(text).stream().map(this::word).toList();
    }

    private Word word(String text) {
        return known.computeIfAbsent(
                text,
                _ -> new Word(
                        text,
                        stemmer.stem(text).toString(),
                        WordNet.get().synsets(text),
                        FUNCTION_WORDS.contains(text) ? 1 - DELTA : DELTA));
    }

    /**
     * For the best reference: weighted matches in the output and in the reference, weighted words of the output and of the
     * reference, chunks, matches.
     */
    @Override
    public double[] statistics(int segment, String output) {
        List<Word> words = words(output);
        double[] best = new double[0];
        double bestScore = -1;
        for (List<Word> reference : references.get(segment)) {
            double[] row = statistics(words, reference);
            double score = score(row);
            if (score > bestScore) {
                bestScore = score;
                best = row;
            }
        }
        return best;
    }

    private static double[] statistics(List<Word> output, List<Word> reference) {
        double[] row = new double[6];
        Path path = align(output, reference);
        for (Path at = path; at.before != null; at = at.before) {
            row[0] += at.stage.weight * output.get(at.output).weight;
            row[1] += at.stage.weight * reference.get(at.reference).weight;
        }
        row[2] = output.stream().mapToDouble(Word::weight).sum();
        row[3] = reference.stream().mapToDouble(Word::weight).sum();
        // A single chunk that covers both texts has no fragmentation (Meteor 1.5).
        row[4] =
                path.chunks == 1 && path.matches == output.size() && path.matches == reference.size() ? 0 : path.chunks;
        row[5] = path.matches;
        return row;
    }

    @Override
    public double score(double[] sum) {
        if (sum[5] == 0) {
            return 0;
        }
        double precision = sum[0] / sum[2];
        double recall = sum[1] / sum[3];
        double mean = 1 / ((1 - ALPHA) / precision + ALPHA / recall);
        return mean * (1 - GAMMA * Math.pow(sum[4] / sum[5], BETA));
    }

    /**
     * The last match of a partial alignment, and sums over all its matches.
     *
     * @param before the matches of earlier words of the reference; null in the empty alignment
     * @param distance sum of the distances between the positions of matched words
     * @param used words of the output that are matched
     */
    private record Path(
            @Nullable Path before,
            int output,
            int reference,
            Stage stage,
            int matches,
            int chunks,
            int distance,
            BitSet used) {
        static final Path EMPTY = new Path(null, -2, -2, Stage.EXACT, 0, 0, 0, new BitSet());

        /** Most matches, then fewest chunks, then shortest distance. */
        static final Comparator<Path> BEST_FIRST = Comparator.comparingInt((Path path) -> -path.matches)
                .thenComparingInt(path -> path.chunks)
                .thenComparingInt(path -> path.distance);

        Path with(int i, int j, Stage next) {
            BitSet all = (BitSet) used.clone();
            all.set(i);
            boolean continues = i == output + 1 && j == reference + 1;
            return new Path(
                    this, i, j, next, matches + 1, chunks + (continues ? 0 : 1), distance + Math.abs(i - j), all);
        }
    }

    /** Matches each word once at most: a beam search over the words of the reference. */
    private static Path align(List<Word> output, List<Word> reference) {
        if (output.equals(reference)) {
            return identity(output.size());
        }
        Stage[][] stages = new Stage[reference.size()][output.size()];
        int[] ofOutput = new int[output.size()];
        int[] ofReference = new int[reference.size()];
        for (int j = 0; j < reference.size(); j++) {
            for (int i = 0; i < output.size(); i++) {
                stages[j][i] = output.get(i).match(reference.get(j));
                if (stages[j][i] != null) {
                    ofOutput[i]++;
                    ofReference[j]++;
                }
            }
        }
        List<Path> paths = List.of(Path.EMPTY);
        for (int j = 0; j < reference.size(); j++) {
            List<Path> next = new ArrayList<>();
            for (Path path : paths) {
                boolean certain = false;
                for (int i = 0; i < output.size(); i++) {
                    if (stages[j][i] != null && !path.used.get(i)) {
                        next.add(path.with(i, j, stages[j][i]));
                        certain |= ofOutput[i] == 1 && ofReference[j] == 1; // these two match only each other
                    }
                }
                if (!certain) {
                    next.add(path);
                }
            }
            next.sort(Path.BEST_FIRST);
            paths = next.subList(0, Math.min(BEAM, next.size()));
        }
        return paths.getFirst();
    }

    private static Path identity(int words) {
        Path path = Path.EMPTY;
        for (int i = 0; i < words; i++) {
            path = path.with(i, i, Stage.EXACT);
        }
        return path;
    }
}
