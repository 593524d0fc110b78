package dev.prefix4j.eval;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * CIDEr (Vedantam et al. 2015, arXiv:1411.5726) as the COCO caption code computes it, in the clipped form CIDEr-D: ten times
 * the mean similarity of an output to its references, as vectors of n-grams weighted by how rare they are among the
 * segments of the corpus.
 */
final class Cider implements Scorer {
    private static final int MAX_ORDER = 4;
    private static final double SIGMA = 6;
    private static final double SCALE = 10;

    private final Map<List<String>, Integer> documents = new HashMap<>();
    private final double logSegments;
    private final List<List<List<String>>> references;

    /**
     * A text as n-gram vectors.
     *
     * @param weights for each n, from 1
     * @param norms for each n, from 1
     * @param bigrams the COCO code compares text lengths in bigrams, although it means words
     */
    private record Vector(List<Map<List<String>, Double>> weights, double[] norms, int bigrams) {}

    Cider(List<List<String>> references) {
        this.references = PtbTokenizer.cocoWords(references);
        for (List<List<String>> texts : this.references) {
            Set<List<String>> seen = new HashSet<>();
            for (List<String> text : texts) {
                for (int n = 1; n <= MAX_ORDER; n++) {
                    seen.addAll(Ngrams.count(text, n).keySet());
                }
            }
            seen.forEach(ngram -> documents.merge(ngram, 1, Integer::sum));
        }
        logSegments = Math.log(references.size());
    }

    private Vector vector(List<String> words) {
        List<Map<List<String>, Double>> weights = new ArrayList<>();
        double[] norms = new double[MAX_ORDER];
        for (int n = 1; n <= MAX_ORDER; n++) {
            Map<List<String>, Double> byNgram = new HashMap<>();
            double squares = 0;
            for (var entry : Ngrams.count(words, n).entrySet()) {
                double rarity = logSegments - Math.log(documents.getOrDefault(entry.getKey(), 1));
                double weight = entry.getValue() * rarity;
                byNgram.put(entry.getKey(), weight);
                squares += weight * weight;
            }
            weights.add(byNgram);
            norms[n - 1] = Math.sqrt(squares);
        }
        return new Vector(weights, norms, Math.max(0, words.size() - 1));
    }

    private static double similarity(Vector output, Vector reference) {
        double sum = 0;
        for (int n = 0; n < MAX_ORDER; n++) {
            double product = 0;
            for (var entry : output.weights().get(n).entrySet()) {
                double other = reference.weights().get(n).getOrDefault(entry.getKey(), 0.0);
                product += Math.min(entry.getValue(), other) * other;
            }
            double norms = output.norms()[n] * reference.norms()[n];
            sum += norms == 0 ? product : product / norms;
        }
        double difference = output.bigrams() - reference.bigrams();
        return sum / MAX_ORDER * Math.exp(-difference * difference / (2 * SIGMA * SIGMA));
    }

    /** The similarity, and 1 for the segment. */
    @Override
    public double[] statistics(int segment, String output) {
        Vector vector = vector(PtbTokenizer.cocoWords(output));
        double mean = references.get(segment).stream()
                .mapToDouble(reference -> similarity(vector, vector(reference)))
                .average()
                .orElseThrow();
        return new double[] {SCALE * mean, 1};
    }

    @Override
    public double score(double[] sum) {
        return sum[0] / sum[1];
    }
}
