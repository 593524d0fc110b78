/**
 * Methods to adapt a model: those that the paper compares (Li and Liang 2021, sections 5.2 and 7) and later ones. Each defines what it trains,
 * what it stores, and how the model is used with that.
 *
 * <p>Start with {@link dev.prefix4j.method.Method}; each method has its own file. The trainer sees a {@link dev.prefix4j.method.Tuning}. A
 * {@link dev.prefix4j.method.Tuner} provides what sequences are adapted by and takes the gradient; {@link dev.prefix4j.method.EngineStep} calls
 * the engine. {@link dev.prefix4j.method.AdapterFolder} reads and writes what methods store; {@link dev.prefix4j.method.PeftKeys} lists the keys
 * that a configuration may have.
 *
 * <p>May import: {@code text}, {@code prefix}, {@code frozen}, {@code model}, {@code torch}.
 */
package dev.prefix4j.method;
