/**
 * Pretraining of a small GPT-2 from scratch on plain text.
 *
 * <p>Start reading at {@link dev.prefix4j.pretrain.Pretrainer}. {@link dev.prefix4j.pretrain.TokenCorpus} holds the text
 * as tokens, {@link dev.prefix4j.pretrain.Mixture} builds the rows of every batch from it: prose unchanged, and the
 * parts that teach copying and putting records into words.
 *
 * <p>May import: {@code text}, {@code model}, {@code model.gpt2}, {@code eval}, {@code train}, {@code torch}.
 */
package dev.prefix4j.pretrain;
