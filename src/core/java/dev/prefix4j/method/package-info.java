/**
 * The ways to adapt a model that the paper compares (Li and Liang 2021, sections 5.2 and 7), and today's: what each trains, what it keeps in a
 * file, and how the model is used with that.
 *
 * <p>Start with {@link dev.prefix4j.method.Method}: a file for each is beside it. {@link dev.prefix4j.method.Tuning} is what the trainer
 * sees of them, {@link dev.prefix4j.method.Tuner} what gives the engine something to train with and takes the gradient,
 * {@link dev.prefix4j.method.EngineStep} what calls the engine. {@link dev.prefix4j.method.AdapterFolder} reads and writes what they keep
 * ({@link dev.prefix4j.method.PeftKeys} is the table of what a configuration may say).
 *
 * <p>May import: {@code text}, {@code prefix}, {@code frozen}, {@code model}, {@code torch}.
 */
package dev.prefix4j.method;
