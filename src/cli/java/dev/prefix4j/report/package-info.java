/**
 * Pictures of a run: a page, a chart, and event files for TensorBoard.
 *
 * <p>Start reading at {@link dev.prefix4j.report.Report}: {@code RunRecord} reads what a run has left in its folder,
 * {@code Charts} draws it, {@code Page} writes it. {@link dev.prefix4j.report.RunReporter} and
 * {@link dev.prefix4j.report.TensorBoard} watch a run. All that a page shows is text of strangers until it has gone
 * through {@code Html}.
 *
 * <p>May import: {@code train}, {@code eval}.
 */
package dev.prefix4j.report;
