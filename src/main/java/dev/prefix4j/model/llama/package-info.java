/**
 * The family of Llama: names and configurations of Llama 2 and 3, Mistral, Qwen2 and Qwen3.
 *
 * <p>Start reading at {@link dev.prefix4j.model.llama.LlamaFamily}.
 *
 * <p>May import: {@code model}.
 */
package dev.prefix4j.model.llama;
