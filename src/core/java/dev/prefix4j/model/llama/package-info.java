/**
 * The Llama family: names and configurations of Llama 2 and 3, Mistral, Qwen2 and Qwen3, and the model as readable modules, which
 * tests use as the reference.
 *
 * <p>Start reading at {@link dev.prefix4j.model.llama.Llama}, then {@link dev.prefix4j.model.llama.Attention}.
 *
 * <p>May import: {@code model}.
 */
package dev.prefix4j.model.llama;
