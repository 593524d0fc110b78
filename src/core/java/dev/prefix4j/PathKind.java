package dev.prefix4j;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;

/** What a path leads to, following links. */
public enum PathKind {
    NOTHING("no such file"),
    DANGLING_LINK("a link to nothing"),
    FILE("a file"),
    FOLDER("a folder"),
    CHARACTER_DEVICE("a device"),
    BLOCK_DEVICE("a block device"),
    PIPE("a named pipe"),
    SOCKET("a socket");

    // stat(2)
    private static final int FORMAT = 0xf000;
    private static final int PIPE_FORMAT = 0x1000;
    private static final int CHARACTER_FORMAT = 0x2000;
    private static final int SOCKET_FORMAT = 0xc000;

    private final String words;

    PathKind(String words) {
        this.words = words;
    }

    /** As words for the end of a message. */
    public String found() {
        return words;
    }

    /** What the path leads to; {@link #NOTHING} if that cannot be determined. */
    public static PathKind of(Path path) {
        if (Files.isRegularFile(path)) {
            return FILE;
        }
        if (Files.isDirectory(path)) {
            return FOLDER;
        }
        if (!Files.exists(path)) {
            return Files.exists(path, LinkOption.NOFOLLOW_LINKS) ? DANGLING_LINK : NOTHING;
        }
        try {
            return switch ((Integer) Files.getAttribute(path, "unix:mode") & FORMAT) {
                case PIPE_FORMAT -> PIPE;
                case CHARACTER_FORMAT -> CHARACTER_DEVICE;
                case SOCKET_FORMAT -> SOCKET;
                default -> BLOCK_DEVICE;
            };
        } catch (IOException | UnsupportedOperationException e) {
            return BLOCK_DEVICE; // the kind that is never written to
        }
    }
}
