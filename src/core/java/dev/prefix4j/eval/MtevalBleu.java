package dev.prefix4j.eval;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/**
 * BLEU as the E2E challenge reports it, from 0 to 1: the Python version of mteval-v13a in its metrics tools (Dušek et al.
 * 2020, "Evaluating the state of the art of end-to-end NLG"). In lower case, with a brevity penalty and a geometric mean
 * like sacreBLEU's, and almost no smoothing.
 */
final class MtevalBleu implements Scorer {
    private static final int MAX_ORDER = 4;
    private static final double LEAST_MATCHES = 1e-15;
    private static final double LEAST_TOTAL = 1e-9;
    private static final double LEAST_LENGTH = 1e-5;

    private final List<List<List<String>>> references;

    MtevalBleu(List<List<String>> references) {
        this.references = words(references);
    }

    /** Words of mteval-v13a in lower case; an empty text has one empty word. */
    static List<String> words(String text) {
        List<String> words = new ArrayList<>();
        BleuTokenizer.V13A.words(text).forEach(word -> words.add(word.toLowerCase(Locale.ROOT)));
        return words.isEmpty() ? List.of("") : words;
    }

    static List<List<List<String>>> words(List<List<String>> references) {
        return references.stream()
                .map(texts -> texts.stream().map(MtevalBleu::words).toList())
                .toList();
    }

    @Override
    public double[] statistics(int segment, String output) {
        List<String> words = words(output);
        double[] row = new double[2 * MAX_ORDER + 1];
        for (int n = 1; n <= MAX_ORDER; n++) {
            Map<List<String>, Integer> most = Ngrams.most(references.get(segment), n);
            for (var entry : Ngrams.count(words, n).entrySet()) {
                row[n - 1] += Math.min(entry.getValue(), most.getOrDefault(entry.getKey(), 0));
            }
            row[MAX_ORDER + n - 1] = words.size() - n + 1; // negative for a text that is too short, as in the original
        }
        row[2 * MAX_ORDER] = Ngrams.closestLength(words.size(), references.get(segment));
        return row;
    }

    @Override
    public double score(double[] sum) {
        double length = sum[MAX_ORDER];
        double referenceLength = sum[2 * MAX_ORDER];
        double logs = 0;
        for (int n = 0; n < MAX_ORDER; n++) {
            logs += Math.log(Math.max(sum[n], LEAST_MATCHES) / Math.max(sum[MAX_ORDER + n], LEAST_TOTAL));
        }
        double penalty =
                length <= referenceLength ? Math.exp(1 - referenceLength / (length == 0 ? LEAST_LENGTH : length)) : 1;
        return penalty * Math.exp(logs / MAX_ORDER);
    }
}
