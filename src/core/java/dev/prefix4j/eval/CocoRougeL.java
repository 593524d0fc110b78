package dev.prefix4j.eval;

import java.util.List;

/**
 * ROUGE-L (Lin 2004) as the COCO caption code computes it, which the E2E challenge's metrics tools use: from the highest
 * precision and the highest recall among the references, with recall weighted by 1.2; the mean over segments.
 */
final class CocoRougeL implements Scorer {
    private static final double BETA = 1.2;

    private final List<List<List<String>>> references;

    CocoRougeL(List<List<String>> references) {
        this.references = PtbTokenizer.cocoWords(references);
    }

    /** The score, and 1 for the segment. */
    @Override
    public double[] statistics(int segment, String output) {
        List<String> words = PtbTokenizer.cocoWords(output);
        double precision = 0;
        double recall = 0;
        for (List<String> reference : references.get(segment)) {
            double common = Rouge.longestCommonSubsequence(words, reference);
            precision = Math.max(precision, common / Math.max(1, words.size()));
            recall = Math.max(recall, common / Math.max(1, reference.size()));
        }
        double square = BETA * BETA;
        double score =
                precision == 0 || recall == 0 ? 0 : (1 + square) * precision * recall / (recall + square * precision);
        return new double[] {score, 1};
    }

    @Override
    public double score(double[] sum) {
        return sum[0] / sum[1];
    }
}
