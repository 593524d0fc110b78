package dev.prefix4j;

import java.io.BufferedOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.channels.Channels;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.concurrent.ThreadLocalRandom;
import java.util.function.Consumer;
import java.util.stream.Stream;

/**
 * Writes files so that they are either complete or absent: under a temporary name in the same folder, flushed to disk, then
 * renamed. If writing fails or the process dies, an earlier file is left unchanged.
 */
public final class AtomicFile {
    /** Names of temporary files: the owner of the folder may delete those that a killed process left. */
    public static final String TEMPORARY = "\\.\\d+-[0-9a-f]{16}\\.tmp";

    /** As many as Linux follows. */
    private static final int MAX_LINKS = 40;

    private AtomicFile() {}

    /** Writes the content of a file. */
    @FunctionalInterface
    public interface Content {
        void writeTo(OutputStream out) throws IOException;
    }

    /**
     * Writes or replaces a file; its folder must exist. A regular file is replaced as a
     * whole and keeps its permissions; for a link, its target is replaced; a device or a pipe is
     * written to; anything else is left alone.
     *
     * @throws InputException if it cannot be written; exceptions from {@code content} are passed on
     */
    public static void write(Path file, Content content) {
        switch (PathKind.of(file)) {
            case NOTHING -> replace(file, file, content);
            case DANGLING_LINK -> replace(file, target(file), content);
            case FILE -> {
                if (isDescriptor(file)) {
                    writeThrough(file, content);
                } else {
                    replace(file, target(file), content);
                }
            }
            case CHARACTER_DEVICE, PIPE -> writeThrough(file, content);
            case FOLDER, BLOCK_DEVICE, SOCKET ->
                throw new InputException("%s: cannot be written: expected a file, found %s"
                        .formatted(file, PathKind.of(file).found()));
        }
    }

    /** Whether {@code write} replaces a whole file at a path, rather than writing to a stream. */
    public static boolean replaces(Path file) {
        return switch (PathKind.of(file)) {
            case NOTHING, DANGLING_LINK -> true;
            case FILE -> !isDescriptor(file);
            case CHARACTER_DEVICE, PIPE, FOLDER, BLOCK_DEVICE, SOCKET -> false;
        };
    }

    private static void replace(Path named, Path file, Content content) {
        Path temporary = file.resolveSibling(temporaryName());
        try {
            try (FileChannel channel =
                            FileChannel.open(temporary, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE);
                    OutputStream out = Channels.newOutputStream(channel)) {
                content.writeTo(out);
                out.flush();
                channel.force(true);
            }
            keepPermissions(file, temporary);
            Files.move(temporary, file, StandardCopyOption.ATOMIC_MOVE);
        } catch (IOException e) {
            throw cannotWrite(named, e);
        } finally {
            try {
                Files.deleteIfExists(temporary);
            } catch (IOException e) {
                // Nothing more can be done: the original error is already on its way to the user.
            }
        }
    }

    private static String temporaryName() {
        return ".%d-%016x.tmp"
                .formatted(
                        ProcessHandle.current().pid(),
                        ThreadLocalRandom.current().nextLong());
    }

    private static void keepPermissions(Path file, Path temporary) throws IOException {
        try {
            if (Files.exists(file)) {
                Files.setPosixFilePermissions(temporary, Files.getPosixFilePermissions(file));
            }
        } catch (UnsupportedOperationException e) {
            // A file system without such permissions.
        }
    }

    private static void writeThrough(Path file, Content content) {
        try (OutputStream out = new BufferedOutputStream(Files.newOutputStream(file, StandardOpenOption.APPEND))) {
            content.writeTo(out);
        } catch (IOException e) {
            throw cannotWrite(file, e);
        }
    }

    /** Such as {@code /dev/stdout}: a file that is already open and may have content. */
    private static boolean isDescriptor(Path file) {
        Path path = file.toAbsolutePath().normalize();
        for (int links = 0; links < MAX_LINKS; links++) {
            if (path.startsWith("/proc") || path.startsWith("/dev/fd")) {
                return true;
            }
            if (!Files.isSymbolicLink(path)) {
                return false;
            }
            try {
                path = path.resolveSibling(Files.readSymbolicLink(path)).normalize();
            } catch (IOException e) {
                return false;
            }
        }
        return false;
    }

    /** The end of a chain of links. */
    private static Path target(Path file) {
        Path path = file;
        for (int links = 0; Files.isSymbolicLink(path); links++) {
            if (links == MAX_LINKS) {
                throw new InputException(file + ": cannot be written: found a cycle of links");
            }
            try {
                path = path.resolveSibling(Files.readSymbolicLink(path));
            } catch (IOException e) {
                throw cannotWrite(file, e);
            }
        }
        Path folder = path.toAbsolutePath().getParent();
        if (folder == null || Files.isDirectory(folder) || path.equals(file)) {
            return path;
        }
        throw new InputException(
                "%s: cannot be written: it is a link into the folder %s, which does not exist".formatted(file, folder));
    }

    /** Writes or replaces a UTF-8 text file. */
    public static void write(Path file, String text) {
        write(file, out -> out.write(text.getBytes(StandardCharsets.UTF_8)));
    }

    /**
     * Creates a folder and its parents.
     *
     * @throws InputException if it cannot be created
     */
    public static void createFolder(Path folder) {
        try {
            Files.createDirectories(folder);
        } catch (IOException e) {
            throw new InputException(folder + ": the folder cannot be created: " + reason(e), e);
        }
    }

    /**
     * Creates a folder so that it is either complete or absent.
     *
     * @param folder absent or empty; its parents are created
     * @param content fills the folder that it is given
     * @throws InputException if it cannot be created; exceptions from {@code content} are passed on
     */
    public static void writeFolder(Path folder, Consumer<Path> content) {
        requireEmpty(folder);
        Path whole = folder.toAbsolutePath().normalize();
        if (whole.getParent() == null) {
            throw new InputException(folder + ": expected a new or empty folder, found the root directory");
        }
        createFolder(whole.getParent());
        Path temporary = whole.resolveSibling(temporaryName());
        try {
            Files.createDirectory(temporary);
            content.accept(temporary);
            Files.deleteIfExists(whole);
            Files.move(temporary, whole, StandardCopyOption.ATOMIC_MOVE);
        } catch (IOException e) {
            throw cannotWrite(folder, e);
        } finally {
            deleteFiles(temporary);
        }
    }

    /**
     * Checks that a folder can be created.
     *
     * @throws InputException if something already exists there
     */
    public static void requireEmpty(Path folder) {
        if (!Files.exists(folder, LinkOption.NOFOLLOW_LINKS)) {
            return;
        }
        if (!Files.isDirectory(folder, LinkOption.NOFOLLOW_LINKS)) {
            throw new InputException("%s: expected a new or empty folder, found %s"
                    .formatted(folder, PathKind.of(folder).found()));
        }
        try (Stream<Path> files = Files.list(folder)) {
            if (files.findAny().isPresent()) {
                throw new InputException(folder + ": expected a new or empty folder, found files: choose another");
            }
        } catch (IOException e) {
            throw cannotRead(folder, e);
        }
    }

    private static void deleteFiles(Path folder) {
        if (!Files.isDirectory(folder)) {
            return;
        }
        try (Stream<Path> files = Files.list(folder)) {
            for (Path file : files.toList()) {
                Files.delete(file);
            }
            Files.delete(folder);
        } catch (IOException e) {
            // Nothing more can be done: the original error is already on its way to the user.
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

    /** A readable reason: the messages of file system exceptions are often only the file's name. */
    private static String reason(IOException e) {
        return switch (e) {
            case AccessDeniedException _ -> "permission denied";
            case NoSuchFileException _ -> "no such file or folder";
            case java.nio.charset.CharacterCodingException _ -> "expected UTF-8 text, found other bytes";
            case java.nio.file.FileAlreadyExistsException _ -> "a file of that name already exists";
            case FileSystemException f when f.getReason() != null -> f.getReason();
            default -> e.getMessage() == null ? e.getClass().getSimpleName() : e.getMessage();
        };
    }
}
