/**
 * The command line. {@link dev.prefix4j.cli.Main} parses and reports errors; each command is a class of its own.
 *
 * <p>Results go to standard output, with {@code --json} for machines; progress and remarks go to standard error. This
 * room may import every other; no other imports it.
 */
package dev.prefix4j.cli;
