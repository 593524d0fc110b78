package dev.prefix4j.eval;

import java.util.Arrays;
import java.util.SplittableRandom;

/**
 * The uncertainty of a score, by resampling its segments.
 *
 * @param resamples of the bootstrap
 * @param trials of the randomization test
 * @param seed of the draws, which are the same for all metrics and outputs
 */
public record Resampling(int resamples, int trials, long seed) {
    /** As many draws as sacreBLEU. */
    public static Resampling of(long seed) {
        return new Resampling(1_000, 10_000, seed);
    }

    /**
     * A 95 % interval.
     *
     * @param low a 40th of the resamples score less
     * @param high a 40th of the resamples score more
     */
    public record Interval(double low, double high) {}

    /** The score of each resample. */
    public double[] bootstrap(Scorer scorer, double[][] rows) {
        SplittableRandom random = new SplittableRandom(seed);
        double[] scores = new double[resamples];
        for (int r = 0; r < resamples; r++) {
            double[] sum = new double[rows[0].length];
            for (int i = 0; i < rows.length; i++) {
                add(sum, rows[random.nextInt(rows.length)]);
            }
            scores[r] = scorer.score(sum);
        }
        return scores;
    }

    private static void add(double[] sum, double[] row) {
        for (int i = 0; i < sum.length; i++) {
            sum[i] += row[i];
        }
    }

    /** The percentile interval of bootstrap scores (Efron 1979; Koehn 2004). */
    public static Interval interval(double[] bootstrap) {
        double[] sorted = bootstrap.clone();
        Arrays.sort(sorted);
        int outside = sorted.length / 40;
        return new Interval(sorted[outside], sorted[sorted.length - 1 - outside]);
    }

    /**
     * Paired bootstrap test (Koehn 2004, with the p-value that sacreBLEU gives): how often, over resamples of the same
     * segments, the difference between two outputs deviates from its mean by at least the observed difference. sacreBLEU counts only
     * larger deviations, and so takes equal outputs to be different.
     *
     * @param difference of the two scores
     * @param one bootstrap scores
     * @param other bootstrap scores of the same draws
     * @return a p-value, two-sided
     */
    public static double pairedBootstrap(double difference, double[] one, double[] other) {
        double[] differences = new double[one.length];
        for (int r = 0; r < one.length; r++) {
            differences[r] = Math.abs(one[r] - other[r]);
        }
        double mean = Arrays.stream(differences).average().orElseThrow();
        long beyond = Arrays.stream(differences)
                .filter(d -> isNotLess(d - mean, Math.abs(difference)))
                .count();
        return (beyond + 1.0) / (one.length + 1);
    }

    /**
     * Paired approximate randomization test (Riezler and Maxwell 2005): how often two outputs differ by at least the
     * observed difference when each segment's two outputs are swapped at random.
     *
     * @return a p-value, two-sided
     */
    public double randomization(Scorer scorer, double[][] one, double[][] other) {
        double difference = Math.abs(scorer.corpus(one) - scorer.corpus(other));
        SplittableRandom random = new SplittableRandom(seed);
        int beyond = 0;
        for (int t = 0; t < trials; t++) {
            double[] first = new double[one[0].length];
            double[] second = new double[one[0].length];
            for (int i = 0; i < one.length; i++) {
                boolean swapped = random.nextBoolean();
                add(first, swapped ? other[i] : one[i]);
                add(second, swapped ? one[i] : other[i]);
            }
            beyond += isNotLess(Math.abs(scorer.score(first) - scorer.score(second)), difference) ? 1 : 0;
        }
        return (beyond + 1.0) / (trials + 1);
    }

    /** Compares up to rounding: the order of a sum may change its last digits. */
    private static boolean isNotLess(double value, double than) {
        return value >= than - 1e-9 * Math.max(1, Math.abs(than));
    }
}
