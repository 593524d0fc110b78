package dev.prefix4j.eval;

import java.util.BitSet;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * Summary-level ROUGE-L (Lin 2004, section 3.2) as F1 from 0 to 1, {@code rougeLsum} of Google's {@code rouge_score}: lines
 * are sentences; a word of a reference sentence matches if it is in a longest common subsequence with any sentence of the
 * output, each word at most as often as it occurs in both texts. The best reference counts; the mean over segments.
 */
final class RougeLsum implements Scorer {
    private final List<List<List<List<String>>>> references;

    /** @param references texts for each segment */
    RougeLsum(List<List<String>> references) {
        this.references = references.stream()
                .map(texts -> texts.stream().map(RougeLsum::sentences).toList())
                .toList();
    }

    private static List<List<String>> sentences(String text) {
        return text.lines().filter(line -> !line.isEmpty()).map(Rouge::words).toList();
    }

    /** The F1 with the best reference, and 1 for the segment. */
    @Override
    public double[] statistics(int segment, String output) {
        List<List<String>> sentences = sentences(output);
        double best = references.get(segment).stream()
                .mapToDouble(reference -> f1(reference, sentences))
                .max()
                .orElseThrow();
        return new double[] {best, 1};
    }

    @Override
    public double score(double[] sum) {
        return sum[0] / sum[1];
    }

    static double f1(List<List<String>> reference, List<List<String>> output) {
        Map<String, Integer> inReference = counts(reference);
        Map<String, Integer> inOutput = counts(output);
        int hits = 0;
        for (List<String> sentence : reference) {
            BitSet union = new BitSet();
            output.forEach(other -> union.or(common(sentence, other)));
            for (int i = union.nextSetBit(0); i >= 0; i = union.nextSetBit(i + 1)) {
                String word = sentence.get(i);
                if (inReference.getOrDefault(word, 0) > 0 && inOutput.getOrDefault(word, 0) > 0) {
                    inReference.merge(word, -1, Integer::sum);
                    inOutput.merge(word, -1, Integer::sum);
                    hits++;
                }
            }
        }
        return hits == 0 ? 0 : 2.0 * hits / (size(reference) + size(output));
    }

    private static Map<String, Integer> counts(List<List<String>> sentences) {
        Map<String, Integer> counts = new HashMap<>();
        sentences.forEach(words -> words.forEach(word -> counts.merge(word, 1, Integer::sum)));
        return counts;
    }

    private static int size(List<List<String>> sentences) {
        return sentences.stream().mapToInt(List::size).sum();
    }

    /** Which words of a sentence are in a longest common subsequence with another, with ties broken as in {@code rouge_score}. */
    private static BitSet common(List<String> one, List<String> other) {
        int[][] length = new int[one.size() + 1][other.size() + 1];
        for (int i = 1; i <= one.size(); i++) {
            for (int j = 1; j <= other.size(); j++) {
                length[i][j] = one.get(i - 1).equals(other.get(j - 1))
                        ? length[i - 1][j - 1] + 1
                        : Math.max(length[i - 1][j], length[i][j - 1]);
            }
        }
        BitSet common = new BitSet();
        for (int i = one.size(), j = other.size(); i > 0 && j > 0; ) {
            if (one.get(i - 1).equals(other.get(j - 1))) {
                common.set(--i);
                j--;
            } else if (length[i][j - 1] > length[i - 1][j]) {
                j--;
            } else {
                i--;
            }
        }
        return common;
    }
}
