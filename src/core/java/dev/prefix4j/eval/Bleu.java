package dev.prefix4j.eval;

import dev.prefix4j.InputException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/**
 * Corpus BLEU (Papineni et al. 2002) with any number of references for each segment, as sacreBLEU computes it (Post
 * 2018, arXiv:1804.08771): n-grams up to 4, the reference length closest to the hypothesis, exponential smoothing.
 *
 * @param tokenizer splits a text into words
 * @param smoothing what replaces a precision of zero
 * @param lowercase compare in lower case
 */
public record Bleu(BleuTokenizer tokenizer, Smoothing smoothing, boolean lowercase) {
    /** sacreBLEU's defaults. */
    public static final Bleu DEFAULT = new Bleu(BleuTokenizer.V13A, Smoothing.EXP, false);

    private static final int MAX_ORDER = 4;
    private static final double FLOOR = 0.1;
    private static final double ADD_K = 1;

    /** What replaces a precision of zero (Chen and Cherry 2014). */
    public enum Smoothing {
        /** Half, a quarter, an eighth … of a match. */
        EXP,
        /** A tenth of a match. */
        FLOOR,
        /** One added match and one added n-gram, from bigrams up. */
        ADD_K,
        /** No smoothing: the score is zero. */
        NONE
    }

    /**
     * Scores a corpus.
     *
     * @param hypotheses one for each segment
     * @param references for each segment, at least one
     * @throws InputException if the numbers of segments differ, there are no segments, or one has no reference
     */
    public BleuScore corpus(List<String> hypotheses, List<List<String>> references) {
        if (hypotheses.size() != references.size()) {
            throw new InputException("BLEU: expected as many outputs as segments with references, found %d and %d"
                    .formatted(hypotheses.size(), references.size()));
        }
        if (hypotheses.isEmpty()) {
            throw new InputException("BLEU: expected at least one output, found none");
        }
        double[][] rows = new double[hypotheses.size()][];
        for (int i = 0; i < rows.length; i++) {
            if (references.get(i).isEmpty()) {
                throw new InputException("BLEU: segment " + (i + 1) + ": expected a reference, found none");
            }
            rows[i] = statistics(hypotheses.get(i), references.get(i));
        }
        return score(Scorer.sum(rows));
    }

    /** For each n, matching n-grams, then all n-grams; then the lengths of the hypothesis and of the closest reference. */
    double[] statistics(String hypothesis, List<String> references) {
        List<String> words = words(hypothesis);
        List<List<String>> others = references.stream().map(this::words).toList();
        double[] row = new double[2 * MAX_ORDER + 2];
        for (int n = 1; n <= MAX_ORDER; n++) {
            Map<List<String>, Integer> most = Ngrams.most(others, n);
            for (var entry : Ngrams.count(words, n).entrySet()) {
                row[n - 1] += Math.min(entry.getValue(), most.getOrDefault(entry.getKey(), 0));
            }
            row[MAX_ORDER + n - 1] = Math.max(0, words.size() - n + 1);
        }
        row[2 * MAX_ORDER] = words.size();
        row[2 * MAX_ORDER + 1] = Ngrams.closestLength(words.size(), others);
        return row;
    }

    private List<String> words(String text) {
        String line = text.stripTrailing();
        return tokenizer.words(lowercase ? line.toLowerCase(Locale.ROOT) : line);
    }

    /** The score of segments from the sum of their statistics. */
    BleuScore score(double[] sum) {
        double[] correct = Arrays.copyOf(sum, MAX_ORDER);
        double[] total = Arrays.copyOfRange(sum, MAX_ORDER, 2 * MAX_ORDER);
        long hypothesisLength = (long) sum[2 * MAX_ORDER];
        long referenceLength = (long) sum[2 * MAX_ORDER + 1];
        double[] precisions = new double[MAX_ORDER];
        boolean anyMatch = Arrays.stream(correct).anyMatch(c -> c > 0);
        double half = 1;
        for (int n = 0; n < MAX_ORDER && anyMatch; n++) {
            double matches = correct[n];
            double of = total[n];
            if (smoothing == Smoothing.ADD_K && n > 0) {
                matches += ADD_K;
                of += ADD_K;
            }
            if (of == 0) {
                break; // every hypothesis is too short for n-grams of this length
            }
            if (matches > 0) {
                precisions[n] = 100 * matches / of;
                continue;
            }
            precisions[n] = switch (smoothing) {
                case EXP -> 100 / ((half *= 2) * of);
                case FLOOR -> 100 * FLOOR / of;
                case ADD_K, NONE -> 0;
            };
        }
        double penalty = hypothesisLength >= referenceLength
                ? 1
                : hypothesisLength > 0 ? Math.exp(1 - (double) referenceLength / hypothesisLength) : 0;
        double logs = 0;
        for (double precision : precisions) {
            // sacreBLEU replaces the logarithm of zero with a very low value.
            logs += precision == 0 ? -9_999_999_999.0 : Math.log(precision);
        }
        double score = anyMatch ? penalty * Math.exp(logs / MAX_ORDER) : 0;
        List<Double> list = new ArrayList<>();
        for (double precision : precisions) {
            list.add(precision);
        }
        return new BleuScore(score, list, penalty, hypothesisLength, referenceLength);
    }
}
