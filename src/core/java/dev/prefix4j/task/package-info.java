/**
 * What commands and programs do with models: train, generate, score, evaluate. Nothing here knows the console or its options.
 *
 * <p>Start with {@link dev.prefix4j.task.LanguageModel}, then {@link dev.prefix4j.task.TrainingRun}, {@link
 * dev.prefix4j.task.GenerationJob}, {@link dev.prefix4j.task.Scoring} and {@link dev.prefix4j.task.Evaluation}; {@code examples/} has
 * programs. {@link dev.prefix4j.task.Models} finds models and adapters, {@link dev.prefix4j.task.Encoding} turns texts into ids
 * that fit into a model, {@link dev.prefix4j.task.AdaptedModel} is a model with an adapter.
 *
 * <p>May import: {@code torch}, {@code text}, {@code hub}, {@code model}, {@code frozen}, {@code prefix}, {@code method}, {@code
 * eval}, {@code train}, {@code generate}, {@code pretrain}.
 */
package dev.prefix4j.task;
