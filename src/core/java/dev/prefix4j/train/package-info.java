/**
 * Training of a prefix encoder over a frozen model.
 *
 * <p>Start reading at {@link dev.prefix4j.train.Trainer}; {@link dev.prefix4j.train.TrainConfig} has what can be set,
 * {@link dev.prefix4j.train.RunDirectory} what is kept on disk and how a killed run goes on. {@link
 * dev.prefix4j.train.TrainingLoop} is the loop of every run, of pretraining too; {@link dev.prefix4j.train.Step} and {@link
 * dev.prefix4j.train.Validation} are the lines that it logs.
 *
 * <p>May import: {@code kernels}, {@code text}, {@code prefix}, {@code method}, {@code eval}, {@code frozen}, {@code
 * model}, {@code torch}.
 */
package dev.prefix4j.train;
