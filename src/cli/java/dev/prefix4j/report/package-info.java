/**
 * Reports of runs and sweeps: pages, charts, and event files for TensorBoard.
 *
 * <p>Start reading at {@link dev.prefix4j.report.Report}: {@code RunRecord} reads the logs in a run's folder,
 * {@code Charts} draws them, {@code Page} writes the page. {@link dev.prefix4j.report.RunReporter} and
 * {@link dev.prefix4j.report.TensorBoard} watch a run. All text on a page is untrusted until it has gone
 * through {@code Html}.
 *
 * <p>May import: {@code train}, {@code eval}.
 */
package dev.prefix4j.report;
