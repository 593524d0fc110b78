package dev.prefix4j.hub;

/** Receives the progress of a download, on the downloading thread: one file after the other. */
public interface DownloadListener {
    /** Ignores everything. */
    DownloadListener NONE = new DownloadListener() {};

    /**
     * The download of a file starts or resumes.
     *
     * @param file plain name
     * @param done bytes that an earlier download left
     * @param total bytes of the file
     */
    default void started(String file, long done, long total) {}

    /** @param done bytes of the file so far; fewer than before if the server started over */
    default void received(long done) {}

    /** The current file has finished, successfully or not. */
    default void ended() {}

    /** Something that the user should know: a retry, a wait, the use of an older copy. */
    default void remark(String text) {}
}
