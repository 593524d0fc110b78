/**
 * Experiments: a plan of runs, and a table of what came out.
 *
 * <p>Start with {@link dev.prefix4j.experiment.Plan}; {@link dev.prefix4j.experiment.Results} makes the table. Runs themselves are
 * the command line's.
 *
 * <p>May import: nothing of ours.
 */
package dev.prefix4j.experiment;
