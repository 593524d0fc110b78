/**
 * Text before it becomes tensors: data files, tokens, batches of ids.
 *
 * <p>Start reading at {@link dev.prefix4j.text.DataFile} (files to {@link dev.prefix4j.text.Example}s), then
 * {@link dev.prefix4j.text.Sequences} (examples to ids) and {@link dev.prefix4j.text.TokenBatch}. A new file format is a new {@link dev.prefix4j.text.DataFormat} and a reader
 * beside the others. Files are untrusted: lines, entries and unpacked sizes are bounded ({@code LineSource},
 * {@code BoundedStream}), and messages quote them only through {@code Excerpt}.
 *
 * <p>May import: nothing of ours.
 */
package dev.prefix4j.text;
