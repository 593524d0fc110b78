/**
 * GPT-2 in Java: configuration, modules, checkpoints, the key/value cache and the loss.
 *
 * <p>Start reading at {@link dev.prefix4j.gpt2.Gpt2}, then {@link dev.prefix4j.gpt2.Attention}. The model knows nothing
 * of prefixes: it attends to what its {@link dev.prefix4j.gpt2.KvCache} holds. This room imports {@code torch} only.
 */
package dev.prefix4j.gpt2;
