package dev.prefix4j.task;

import dev.prefix4j.eval.Bleu;
import dev.prefix4j.eval.BleuScore;
import dev.prefix4j.eval.Metric;
import dev.prefix4j.eval.Resampling;
import dev.prefix4j.eval.Resampling.Interval;
import dev.prefix4j.eval.Scorer;
import java.util.List;
import java.util.NoSuchElementException;
import java.util.Optional;
import java.util.Set;

/**
 * Scores of outputs against references.
 *
 * @param bleu with its components
 * @param results a score for each requested metric
 */
public record Evaluation(BleuScore bleu, List<Result> results) {
    /**
     * What to compute.
     *
     * @param bleu how BLEU is computed
     * @param intervals whether to compute 95 % intervals, from bootstrap resamples
     * @param seed of the resamples
     */
    public record Settings(Set<Metric> metrics, Bleu bleu, boolean intervals, long seed) {
        /** These metrics, without intervals. */
        public static Settings of(Set<Metric> metrics) {
            return new Settings(metrics, Bleu.DEFAULT, false, 12345);
        }
    }

    /**
     * A score.
     *
     * @param interval of 95 %, if requested
     * @param against the score of the other outputs, if any
     */
    public record Result(Metric metric, double score, Optional<Interval> interval, Optional<Against> against) {}

    /**
     * The score of other outputs, and how likely such a difference is between outputs of equal quality.
     *
     * @param interval of 95 %, if requested
     * @param bootstrap p-value of the paired bootstrap
     * @param randomization p-value of the paired randomization test
     */
    public record Against(double score, Optional<Interval> interval, double bootstrap, double randomization) {}

    /**
     * Scores outputs.
     *
     * @param references of each output, at least one
     * @throws dev.prefix4j.InputException if there is no output, or one has no reference
     */
    public static Evaluation of(List<String> outputs, List<List<String>> references, Settings settings) {
        return of(outputs, references, settings, Optional.empty());
    }

    /**
     * As {@link #of(List, List, Settings)}, and compares with other outputs.
     *
     * @param others outputs for the same sources
     */
    public static Evaluation of(
            List<String> outputs, List<List<String>> references, Settings settings, Optional<List<String>> others) {
        return new Evaluation(
                settings.bleu().corpus(outputs, references),
                settings.metrics().stream()
                        .map(metric ->
                                result(metric, metric.over(references, settings.bleu()), outputs, others, settings))
                        .toList());
    }

    private static Result result(
            Metric metric, Scorer scorer, List<String> outputs, Optional<List<String>> others, Settings settings) {
        Resampling resampling = Resampling.of(settings.seed());
        double[][] rows = scorer.statistics(outputs);
        double score = scorer.corpus(rows);
        boolean sampled = settings.intervals() || others.isPresent();
        double[] resamples = sampled ? resampling.bootstrap(scorer, rows) : new double[0];
        Optional<Against> against = others.map(other -> {
            double[][] otherRows = scorer.statistics(other);
            double otherScore = scorer.corpus(otherRows);
            double[] otherResamples = resampling.bootstrap(scorer, otherRows);
            return new Against(
                    otherScore,
                    interval(otherResamples, settings),
                    Resampling.pairedBootstrap(score - otherScore, resamples, otherResamples),
                    resampling.randomization(scorer, rows, otherRows));
        });
        return new Result(metric, score, interval(resamples, settings), against);
    }

    private static Optional<Interval> interval(double[] resamples, Settings settings) {
        return settings.intervals() ? Optional.of(Resampling.interval(resamples)) : Optional.empty();
    }

    /**
     * The score of a metric.
     *
     * @throws NoSuchElementException if it was not requested
     */
    public double score(Metric metric) {
        return results.stream()
                .filter(result -> result.metric() == metric)
                .findFirst()
                .orElseThrow()
                .score();
    }
}
