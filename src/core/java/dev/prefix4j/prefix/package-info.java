/**
 * What prefix-tuning learns (Li and Liang 2021, section 4): the encoder that produces a prefix during training, and the
 * resulting prefix.
 *
 * <p>Start reading at {@link dev.prefix4j.prefix.PrefixEncoder}, then {@link dev.prefix4j.prefix.Prefix}. A new
 * variant of the method is a new file here.
 *
 * <p>May import: {@code model}, {@code torch}.
 */
package dev.prefix4j.prefix;
