/**
 * Models of the Hugging Face hub, by name: downloaded once into the cache shared with Transformers and other Hugging Face
 * libraries, then used from there.
 *
 * <p>It does not write to the console: progress goes to a
 * {@link dev.prefix4j.hub.DownloadListener}. Start reading at {@link dev.prefix4j.hub.Hub} (which files, in which
 * order), then {@code HubCache} (where they are stored) and {@code HubClient} (how they are downloaded). Everything from a server is
 * untrusted: names are checked before they become paths, sizes are bounded, contents are checked against their
 * hash.
 *
 * <p>May import: nothing of ours.
 */
package dev.prefix4j.hub;
