/**
 * Prefix-tuning of language models on native libtorch (Li and Liang 2021, arXiv:2101.00190).
 *
 * <p>The packages below follow the data from left to right; each has a sign like this one that says what belongs there
 * and what it may import. This package holds what every room may use and imports none of our packages: {@link
 * dev.prefix4j.InputException} with {@link dev.prefix4j.Excerpt}; {@link dev.prefix4j.Named} (values by name); files ({@link dev.prefix4j.InputFile}, {@link
 * dev.prefix4j.AtomicFile}, {@link dev.prefix4j.JsonFile}) and what they are ({@link dev.prefix4j.PathKind}, {@link
 * dev.prefix4j.FileKind}); {@link dev.prefix4j.ProcessSettings} (process-wide settings) and {@link
 * dev.prefix4j.FirstStart} (unpacking native libraries).
 */
package dev.prefix4j;
