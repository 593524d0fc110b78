/**
 * JMH benchmarks of the frozen engine and its kernels; {@code scripts/jmh} runs them. Each one checks that the ways that it
 * compares agree before it times them. Sizes are parameters. Imports: frozen, gpt2, prefix, text, train, torch.
 */
package dev.prefix4j.bench;
