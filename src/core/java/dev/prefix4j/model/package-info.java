/**
 * A language model as data: configuration, weights by role, checkpoints; and the families, each in a room of its own with its
 * names and its readable module.
 *
 * <p>Start reading at {@link dev.prefix4j.model.ModelConfig}, then {@link dev.prefix4j.model.Family} and
 * {@link dev.prefix4j.model.BaseModel}. Whoever uses a model asks for weights by role, and never which family it is of: a family's
 * room is imported here, in {@code pretrain} and in tests.
 *
 * <p>May import: {@code model.gpt2}, {@code model.llama}, {@code torch}.
 */
package dev.prefix4j.model;
