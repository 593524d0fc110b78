package dev.prefix4j.hub;

/**
 * A file on the hub, as described by its headers.
 *
 * @param id of the model, for messages
 * @param name plain name
 * @param commit that was requested, or that the requested revision resolves to
 * @param etag plain name of the content: 64 hex digits are its SHA-256, 40 are the SHA-1 of its git blob
 * @param size in bytes
 */
record RemoteFile(HubId id, String name, String commit, String etag, long size) {}
