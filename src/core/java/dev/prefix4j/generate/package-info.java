/**
 * Decoding: from prompts to the ids of new tokens.
 *
 * <p>Start reading at {@link dev.prefix4j.generate.Generator}; {@link dev.prefix4j.generate.Decoding} lists the decoding
 * methods.
 *
 * <p>May import: {@code prefix}, {@code frozen}, {@code model}, {@code torch}.
 */
package dev.prefix4j.generate;
