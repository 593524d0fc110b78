package dev.prefix4j.eval;

import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** Counts of the n-grams of a list of words. */
final class Ngrams {
    private Ngrams() {}

    static Map<List<String>, Integer> count(List<String> words, int n) {
        Map<List<String>, Integer> counts = new HashMap<>();
        for (int i = 0; i + n <= words.size(); i++) {
            counts.merge(words.subList(i, i + n), 1, Integer::sum);
        }
        return counts;
    }

    /** The largest count of each n-gram in any one text. */
    static Map<List<String>, Integer> most(List<List<String>> texts, int n) {
        Map<List<String>, Integer> most = new HashMap<>();
        for (List<String> text : texts) {
            count(text, n).forEach((ngram, count) -> most.merge(ngram, count, Math::max));
        }
        return most;
    }

    /** The length of the text that is closest in length; the shorter one of a tie. */
    static int closestLength(int length, List<List<String>> texts) {
        int closest = texts.getFirst().size();
        for (List<String> text : texts) {
            int difference = Math.abs(text.size() - length);
            int least = Math.abs(closest - length);
            if (difference < least || (difference == least && text.size() < closest)) {
                closest = text.size();
            }
        }
        return closest;
    }
}
