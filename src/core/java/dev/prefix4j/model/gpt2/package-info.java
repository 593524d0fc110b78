/**
 * GPT-2: names and configuration, and the model as readable modules, which {@code pretrain} trains and tests compare with.
 *
 * <p>Start reading at {@link dev.prefix4j.model.gpt2.Gpt2}, then {@link dev.prefix4j.model.gpt2.Attention}. The model knows nothing
 * of prefixes: it attends to what its {@link dev.prefix4j.model.KvCache} holds.
 *
 * <p>May import: {@code model}, {@code torch}.
 */
package dev.prefix4j.model.gpt2;
