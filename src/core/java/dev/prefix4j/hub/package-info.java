/**
 * Models of the Hugging Face hub, by their names: downloaded once into the cache that Transformers and its relatives
 * share, and taken from there afterwards.
 *
 * <p>It knows no console: who wants to see a download listens with
 * {@link dev.prefix4j.hub.DownloadListener}. Start reading at {@link dev.prefix4j.hub.Hub} (which files, in which
 * order), then {@code HubCache} (where they lie) and {@code HubClient} (how they come). All that a server says is a
 * stranger's word: names are plain before they become paths, sizes are bounded, contents are checked against their
 * hash.
 *
 * <p>May import: nothing of ours.
 */
package dev.prefix4j.hub;
