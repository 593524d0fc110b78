/**
 * What a command or a program does with models: it trains, generates, scores, evaluates. No console is known here, and no option.
 *
 * <p>Start with {@link dev.prefix4j.task.LanguageModel}, then {@link dev.prefix4j.task.TrainingRun}, {@link
 * dev.prefix4j.task.GenerationJob}, {@link dev.prefix4j.task.Scoring} and {@link dev.prefix4j.task.Evaluation}; {@code examples/} has
 * programs. {@link dev.prefix4j.task.Models} says where models and adapters come from, {@link dev.prefix4j.task.Encoding} how texts
 * become ids that a model has room for, {@link dev.prefix4j.task.AdaptedModel} is a model under an adapter.
 *
 * <p>May import: {@code torch}, {@code text}, {@code hub}, {@code model}, {@code frozen}, {@code prefix}, {@code method}, {@code
 * eval}, {@code train}, {@code generate}, {@code pretrain}.
 */
package dev.prefix4j.task;
