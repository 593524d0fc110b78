package dev.prefix4j.eval;

import java.math.BigDecimal;
import java.math.RoundingMode;
import java.util.List;
import java.util.Locale;
import java.util.stream.Collectors;

/**
 * A BLEU score and its components.
 *
 * @param score from 0 to 100
 * @param precisions n-gram precisions for n from 1, in percent, after smoothing
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
                .map(p -> new BigDecimal(p).setScale(1, RoundingMode.HALF_EVEN).toPlainString()) // as Python rounds
                .collect(Collectors.joining("/"));
        double ratio = referenceLength == 0 ? 0 : (double) hypothesisLength / referenceLength;
        return String.format(
                Locale.ROOT,
                "BLEU = %s %s (BP = %.3f ratio = %.3f hyp_len = %d ref_len = %d)",
                new BigDecimal(score).setScale(2, RoundingMode.HALF_EVEN),
                parts,
                brevityPenalty,
                ratio,
                hypothesisLength,
                referenceLength);
    }
}
