package dev.prefix4j.eval;

import java.util.List;
import java.util.Locale;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;

/**
 * ROUGE-N and ROUGE-L (Lin 2004) as F1 from 0 to 1, as in Google's {@code rouge_score}: words of ASCII letters
 * and digits in lower case, no stemming; the reference with the highest F1 counts; the mean over segments.
 */
final class Rouge implements Scorer {
    private static final Pattern WORD = Pattern.compile("[a-z0-9]+");

    private final Variant variant;
    private final List<List<List<String>>> references;

    /** What is compared. */
    enum Variant {
        UNIGRAMS,
        BIGRAMS,
        LONGEST_COMMON_SUBSEQUENCE
    }

    Rouge(Variant variant, List<List<String>> references) {
        this.variant = variant;
        this.references = references.stream()
                .map(texts -> texts.stream().map(Rouge::words).toList())
                .toList();
    }

    static List<String> words(String text) {
        return WORD.matcher(text.toLowerCase(Locale.ROOT))
                .results()
                .map(MatchResult::group)
                .toList();
    }

    /** The F1 with the best reference, and 1 for the segment. */
    @Override
    public double[] statistics(int segment, String output) {
        List<String> words = words(output);
        double best = references.get(segment).stream()
                .mapToDouble(reference -> f1(words, reference))
                .max()
                .orElseThrow();
        return new double[] {best, 1};
    }

    @Override
    public double score(double[] sum) {
        return sum[0] / sum[1];
    }

    private double f1(List<String> output, List<String> reference) {
        return switch (variant) {
            case UNIGRAMS -> ngramF1(output, reference, 1);
            case BIGRAMS -> ngramF1(output, reference, 2);
            case LONGEST_COMMON_SUBSEQUENCE ->
                f1(longestCommonSubsequence(output, reference), output.size(), reference.size());
        };
    }

    private static double ngramF1(List<String> output, List<String> reference, int n) {
        var others = Ngrams.count(reference, n);
        int common = 0;
        for (var entry : Ngrams.count(output, n).entrySet()) {
            common += Math.min(entry.getValue(), others.getOrDefault(entry.getKey(), 0));
        }
        return f1(common, output.size() - n + 1, reference.size() - n + 1);
    }

    private static double f1(int common, int outputs, int references) {
        return common == 0 ? 0 : 2.0 * common / (outputs + references);
    }

    /** The length of the longest common subsequence, in words. */
    static int longestCommonSubsequence(List<String> one, List<String> other) {
        int[] row = new int[other.size() + 1];
        for (String word : one) {
            int diagonal = 0;
            for (int j = 1; j < row.length; j++) {
                int above = row[j];
                row[j] = word.equals(other.get(j - 1)) ? diagonal + 1 : Math.max(above, row[j - 1]);
                diagonal = above;
            }
        }
        return row[other.size()];
    }
}
