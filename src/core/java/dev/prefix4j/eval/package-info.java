/**
 * How good outputs and models are: metrics over texts, likelihood of targets.
 *
 * <p>Start reading at {@link dev.prefix4j.eval.Metric} and {@link dev.prefix4j.eval.Scorer}, with
 * {@link dev.prefix4j.eval.Bleu} as an example and {@link dev.prefix4j.eval.Resampling} for intervals and tests, then
 * {@link dev.prefix4j.eval.Likelihood}.
 *
 * <p>May import: {@code text}, {@code frozen}, {@code model}, {@code torch}.
 */
package dev.prefix4j.eval;
