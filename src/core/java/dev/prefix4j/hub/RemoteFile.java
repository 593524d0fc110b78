package dev.prefix4j.hub;

/**
 * A file of the hub, as its headers describe it.
 *
 * @param id of the model, for messages
 * @param name plain name
 * @param commit that the file was asked of, or that the asked revision stands for
 * @param etag plain name of the content: 64 hex digits are its SHA-256, 40 the SHA-1 of its git blob
 * @param size in bytes
 */
record RemoteFile(HubId id, String name, String commit, String etag, long size) {}
