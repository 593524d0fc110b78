package dev.prefix4j.hub;

/** Is told how a download goes, in the thread that downloads: one file after the other. */
public interface DownloadListener {
    /** Hears nothing. */
    DownloadListener NONE = new DownloadListener() {};

    /**
     * The download of a file begins, or goes on.
     *
     * @param file plain name
     * @param done bytes that an earlier download left
     * @param total bytes of the file
     */
    default void started(String file, long done, long total) {}

    /** @param done bytes of the file that are there; less than before if the server began again */
    default void received(long done) {}

    /** The file that was started has ended, well or not. */
    default void ended() {}

    /** Something that the user should know: another try, a wait, an older copy that is used. */
    default void remark(String text) {}
}
