/**
 * Experiments: a plan of runs, and a table of their results.
 *
 * <p>Start with {@link dev.prefix4j.experiment.Plan}; {@link dev.prefix4j.experiment.Results} makes the table. The command line executes the
 * runs.
 *
 * <p>May import: nothing of ours.
 */
package dev.prefix4j.experiment;
