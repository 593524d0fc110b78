package dev.prefix4j.eval;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;

/**
 * NIST (Doddington 2002) with n-grams up to 5, as in the Python mteval-v13a of the E2E challenge's metrics tools: a matched
 * n-gram counts as the bits of information that its last word adds to the preceding words, from the counts over all references.
 */
final class MtevalNist implements Scorer {
    private static final int MAX_ORDER = 5;

    /** Makes the penalty one half for outputs two thirds as long as the references. */
    private static final double BETA = -Math.log(0.5) / Math.pow(Math.log(1.5), 2);

    private final List<List<List<String>>> references;

    /** How often each n-gram occurs in all references; for the empty n-gram, the number of words. */
    private final List<Map<List<String>, Integer>> counts = new ArrayList<>();

    MtevalNist(List<List<String>> references) {
        this.references = MtevalBleu.words(references);
        for (int n = 0; n <= MAX_ORDER; n++) {
            counts.add(new HashMap<>());
        }
        for (List<List<String>> texts : this.references) {
            for (List<String> text : texts) {
                counts.getFirst().merge(List.of(), text.size(), Integer::sum);
                for (int n = 1; n <= MAX_ORDER; n++) {
                    Map<List<String>, Integer> all = counts.get(n);
                    Ngrams.count(text, n).forEach((ngram, count) -> all.merge(ngram, count, Integer::sum));
                }
            }
        }
    }

    /** Information of an n-gram that occurs in the references, in bits. */
    private double information(List<String> ngram) {
        int n = ngram.size();
        double before = count(ngram.subList(0, n - 1));
        return Math.log(before / count(ngram)) / Math.log(2);
    }

    private int count(List<String> ngram) {
        return Objects.requireNonNull(counts.get(ngram.size()).get(ngram), "an n-gram of the references");
    }

    @Override
    public double[] statistics(int segment, String output) {
        List<List<String>> texts = references.get(segment);
        List<String> words = MtevalBleu.words(output);
        double[] row = new double[2 * MAX_ORDER + 1];
        for (int n = 1; n <= MAX_ORDER; n++) {
            Map<List<String>, Integer> most = Ngrams.most(texts, n);
            for (var entry : Ngrams.count(words, n).entrySet()) {
                int matches = Math.min(entry.getValue(), most.getOrDefault(entry.getKey(), 0));
                row[n - 1] += matches == 0 ? 0 : matches * information(entry.getKey());
            }
            row[MAX_ORDER + n - 1] = words.size() - n + 1;
        }
        row[2 * MAX_ORDER] = texts.stream().mapToInt(List::size).average().orElseThrow();
        return row;
    }

    @Override
    public double score(double[] sum) {
        double information = 0;
        for (int n = 0; n < MAX_ORDER; n++) {
            double of = sum[MAX_ORDER + n];
            information += of == 0 ? 0 : sum[n] / of;
        }
        double ratio = sum[MAX_ORDER] / sum[2 * MAX_ORDER];
        return ratio >= 1 ? information : information * Math.exp(-BETA * Math.pow(Math.log(ratio), 2));
    }
}
