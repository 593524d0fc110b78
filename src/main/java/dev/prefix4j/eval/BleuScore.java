package dev.prefix4j.eval;

import java.util.List;
import java.util.Locale;
import java.util.stream.Collectors;

/**
 * A BLEU score and what it is made of.
 *
 * @param score from 0 to 100
 * @param precisions of n-grams for n from 1, in percent, after smoothing
 * @param brevityPenalty from 0 to 1
 * @param hypothesisLength words
 * @param referenceLength words of the references closest in length
 */
public record BleuScore(
        double score, List<Double> precisions, double brevityPenalty, long hypothesisLength, long referenceLength) {
    public BleuScore {
        precisions = List.copyOf(precisions);
    }

    /** The line that sacreBLEU prints. */
    @Override
    public String toString() {
        String parts = precisions.stream()
                .map(p -> String.format(Locale.ROOT, "%.1f", p))
                .collect(Collectors.joining("/"));
        double ratio = referenceLength == 0 ? 0 : (double) hypothesisLength / referenceLength;
        return String.format(
                Locale.ROOT,
                "BLEU = %.2f %s (BP = %.3f ratio = %.3f hyp_len = %d ref_len = %d)",
                score, parts, brevityPenalty, ratio, hypothesisLength, referenceLength);
    }
}
