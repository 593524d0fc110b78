/**
 * A language model as data: configuration, weights by role, checkpoints; and the families, each in its own room with its
 * names and its readable module.
 *
 * <p>Start reading at {@link dev.prefix4j.model.ModelConfig}, then {@link dev.prefix4j.model.Family} and
 * {@link dev.prefix4j.model.BaseModel}. Users of a model get weights by role and never check its family: a family's
 * room is imported only here, in {@code pretrain} and in tests.
 *
 * <p>May import: {@code model.gpt2}, {@code model.llama}, {@code torch}.
 */
package dev.prefix4j.model;
