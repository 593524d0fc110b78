/**
 * How good outputs and models are: metrics over texts, likelihood of targets.
 *
 * <p>Start reading at {@link dev.prefix4j.eval.Metric} and {@link dev.prefix4j.eval.Scorer}, with
 * {@link dev.prefix4j.eval.Bleu} for an example and {@link dev.prefix4j.eval.Resampling} for what they make possible, then
 * {@link dev.prefix4j.eval.Likelihood}. This room imports {@code text}, {@code frozen}, {@code gpt2} and {@code torch}, and
 * never {@code train}.
 */
package dev.prefix4j.eval;
