/**
 * Training of a prefix encoder over a frozen GPT-2.
 *
 * <p>Start reading at {@link dev.prefix4j.train.Trainer}; {@link dev.prefix4j.train.TrainConfig} has what can be set,
 * {@link dev.prefix4j.train.RunDirectory} what is kept on disk and how a killed run goes on. This room imports
 * {@code text}, {@code prefix}, {@code eval} (for the validation loss), {@code frozen}, {@code gpt2} and {@code torch}.
 */
package dev.prefix4j.train;
