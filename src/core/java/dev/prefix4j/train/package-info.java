/**
 * Training: the loop, the optimizer, and what runs write.
 *
 * <p>Start reading at {@link dev.prefix4j.train.Trainer}; {@link dev.prefix4j.train.TrainConfig} has the settings, {@link
 * dev.prefix4j.train.RunDirectory} what is on disk and how a killed run is resumed. {@link dev.prefix4j.train.TrainingLoop}
 * is the loop of every run, including pretraining; {@link dev.prefix4j.train.Step} and {@link
 * dev.prefix4j.train.Validation} are the lines that it logs.
 *
 * <p>May import: {@code kernels}, {@code text}, {@code prefix}, {@code method}, {@code eval}, {@code frozen}, {@code
 * model}, {@code torch}.
 */
package dev.prefix4j.train;
