/**
 * The command line. {@link dev.prefix4j.cli.Main} parses and reports errors; each command is a class of its own.
 *
 * <p>Results go to standard output, with {@code --json} for machines; progress and remarks go to standard error.
 *
 * <p>What a command does with models stands in {@code task}; here are options, their checks, and what is shown.
 *
 * <p>May import: {@code torch}, {@code kernels}, {@code text}, {@code hub}, {@code model}, {@code prefix}, {@code method}, {@code eval}, {@code train}, {@code generate}, {@code pretrain}, {@code task}, {@code report}, {@code experiment}.
 */
package dev.prefix4j.cli;
