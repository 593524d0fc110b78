package dev.prefix4j;

import java.io.IOException;
import java.io.OutputStream;
import java.nio.channels.Channels;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;

/**
 * Files that are complete or not there: written under a temporary name in the same folder, forced to the disk, then
 * moved. A failure, or the death of the process, leaves an earlier file as it was.
 */
public final class AtomicFile {
    private AtomicFile() {}

    /** Writes the content of a file. */
    @FunctionalInterface
    public interface Content {
        void writeTo(OutputStream out) throws IOException;
    }

    /**
     * Writes or replaces a file; its folder must exist.
     *
     * @throws InputException if it cannot be written; what {@code content} throws comes through
     */
    public static void write(Path file, Content content) {
        Path temporary = file.resolveSibling("." + file.getFileName() + "." + ProcessHandle.current().pid() + ".tmp");
        try {
            try (FileChannel channel = FileChannel.open(
                            temporary,
                            StandardOpenOption.CREATE,
                            StandardOpenOption.TRUNCATE_EXISTING,
                            StandardOpenOption.WRITE);
                    OutputStream out = Channels.newOutputStream(channel)) {
                content.writeTo(out);
                out.flush();
                channel.force(true);
            }
            Files.move(temporary, file, StandardCopyOption.ATOMIC_MOVE);
        } catch (IOException e) {
            throw cannotWrite(file, e);
        } finally {
            try {
                Files.deleteIfExists(temporary);
            } catch (IOException e) {
                // Nothing more can be done: what made the write fail is on its way to the user.
            }
        }
    }

    /** Writes or replaces a UTF-8 text file. */
    public static void write(Path file, String text) {
        write(file, out -> out.write(text.getBytes(StandardCharsets.UTF_8)));
    }

    /**
     * Makes a folder and those above it.
     *
     * @throws InputException if that cannot be
     */
    public static void createFolder(Path folder) {
        try {
            Files.createDirectories(folder);
        } catch (IOException e) {
            throw new InputException(folder + ": the folder cannot be made: " + reason(e), e);
        }
    }

    /** The error for a file that cannot be written. */
    public static InputException cannotWrite(Path file, IOException e) {
        return new InputException(file + ": cannot be written: " + reason(e), e);
    }

    /** The error for a file that cannot be read. */
    public static InputException cannotRead(Path file, IOException e) {
        return new InputException(file + ": cannot be read: " + reason(e), e);
    }

    /** In words: the messages of file system exceptions are often only the file's name. */
    private static String reason(IOException e) {
        return switch (e) {
            case AccessDeniedException _ -> "permission denied";
            case NoSuchFileException _ -> "no such file or folder";
            case java.nio.charset.CharacterCodingException _ -> "expected UTF-8 text, found other bytes";
            case java.nio.file.FileAlreadyExistsException _ -> "a file of that name is in the way";
            case FileSystemException f when f.getReason() != null -> f.getReason();
            default -> e.getMessage() == null ? e.getClass().getSimpleName() : e.getMessage();
        };
    }
}
