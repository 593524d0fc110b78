/**
 * How good outputs and models are: metrics over texts, likelihood of targets.
 *
 * <p>Start reading at {@link dev.prefix4j.eval.Bleu}, then {@link dev.prefix4j.eval.Likelihood}. This room imports
 * {@code text}, {@code frozen}, {@code gpt2} and {@code torch}, and never {@code train}.
 */
package dev.prefix4j.eval;
