/**
 * GPT-2: names and configuration, and the model as readable modules, which {@code pretrain} trains and which tests use as the reference.
 *
 * <p>Start reading at {@link dev.prefix4j.model.gpt2.Gpt2}, then {@link dev.prefix4j.model.gpt2.Attention}. The model knows nothing
 * about prefixes: it attends to the entries of its {@link dev.prefix4j.model.KvCache}.
 *
 * <p>May import: {@code model}, {@code torch}.
 */
package dev.prefix4j.model.gpt2;
