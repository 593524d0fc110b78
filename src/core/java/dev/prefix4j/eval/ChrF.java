package dev.prefix4j.eval;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * chrF2 (Popović 2015) from 0 to 100, as sacreBLEU computes it: n-grams of up to 6 characters without white space, recall
 * weighted by 2; orders that neither text has are ignored; the best reference of each segment counts.
 */
final class ChrF implements Scorer {
    private static final int MAX_ORDER = 6;
    private static final double BETA_SQUARED = 4;

    private final List<List<String>> references;

    ChrF(List<List<String>> references) {
        this.references = references;
    }

    /** Counts by n, from 1. A character is a code point. */
    private static List<Map<String, Integer>> ngrams(String text) {
        String line = String.join("", BleuTokenizer.NONE.words(text));
        int[] at = new int[line.codePointCount(0, line.length()) + 1];
        for (int i = 1; i < at.length; i++) {
            at[i] = line.offsetByCodePoints(at[i - 1], 1);
        }
        List<Map<String, Integer>> byOrder = new ArrayList<>();
        for (int n = 1; n <= MAX_ORDER; n++) {
            Map<String, Integer> counts = new HashMap<>();
            for (int i = 0; i + n < at.length; i++) {
                counts.merge(line.substring(at[i], at[i + n]), 1, Integer::sum);
            }
            byOrder.add(counts);
        }
        return byOrder;
    }

    /** For each n: n-grams of the output, of the reference, and in common. */
    @Override
    public double[] statistics(int segment, String output) {
        List<Map<String, Integer>> ngrams = ngrams(output);
        double[] best = new double[0];
        double bestScore = -1;
        for (String text : references.get(segment)) {
            List<Map<String, Integer>> reference = ngrams(text);
            double[] row = new double[3 * MAX_ORDER];
            for (int n = 0; n < MAX_ORDER; n++) {
                Map<String, Integer> others = reference.get(n);
                for (var entry : ngrams.get(n).entrySet()) {
                    row[3 * n] += others.isEmpty() ? 0 : entry.getValue();
                    row[3 * n + 2] += Math.min(entry.getValue(), others.getOrDefault(entry.getKey(), 0));
                }
                row[3 * n + 1] =
                        others.values().stream().mapToInt(Integer::intValue).sum();
            }
            double score = score(row);
            if (score > bestScore) {
                bestScore = score;
                best = row;
            }
        }
        return best;
    }

    @Override
    public double score(double[] sum) {
        double precision = 0;
        double recall = 0;
        int orders = 0;
        for (int n = 0; n < MAX_ORDER; n++) {
            if (sum[3 * n] > 0 && sum[3 * n + 1] > 0) {
                precision += sum[3 * n + 2] / sum[3 * n];
                recall += sum[3 * n + 2] / sum[3 * n + 1];
                orders++;
            }
        }
        if (precision + recall == 0) {
            return 0;
        }
        precision /= orders;
        recall /= orders;
        return 100 * (1 + BETA_SQUARED) * precision * recall / (BETA_SQUARED * precision + recall);
    }
}
