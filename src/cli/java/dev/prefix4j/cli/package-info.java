/**
 * The command line. {@link dev.prefix4j.cli.Main} parses and reports errors; each command is a separate class.
 *
 * <p>Results go to standard output, with {@code --json} for machines; progress and remarks go to standard error.
 *
 * <p>What a command does with models is in {@code task}; options, their checks and what is shown are here.
 *
 * <p>May import: {@code torch}, {@code kernels}, {@code text}, {@code hub}, {@code model}, {@code prefix}, {@code method}, {@code eval}, {@code train}, {@code generate}, {@code pretrain}, {@code task}, {@code report}, {@code experiment}.
 */
package dev.prefix4j.cli;
