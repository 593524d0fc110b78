package dev.prefix4j;

import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Collection;
import java.util.List;
import java.util.function.Supplier;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Lets one process at a time unpack native libraries into a folder that processes share.
 *
 * <p>Such libraries write a file directly to the place it is loaded from: a process that starts meanwhile maps half a file and dies of SIGBUS.
 * After the first successful start, a file in the folder lists the contents, and later starts need not wait. The operating system
 * releases the lock when its process dies.
 */
public final class FirstStart {
    private static final Logger LOG = LoggerFactory.getLogger(FirstStart.class);

    private FirstStart() {}

    /**
     * Loads native libraries; under a lock between processes if they have not been unpacked yet. If the folder cannot be locked (read-only, or on
     * a file system without locks), it is used without a lock.
     *
     * @param folder where they are unpacked
     * @param name name and version of the libraries, usable as a file name
     * @param load returns the unpacked files
     */
    public static synchronized void load(Path folder, String name, Supplier<Collection<Path>> load) {
        Path unpacked = folder.resolve(".prefix4j-" + name + ".unpacked");
        if (isComplete(unpacked)) {
            Collection<Path> _ = load.get(); // they are there already
            return;
        }
        try (FileChannel channel = lock(folder.resolve(".prefix4j-" + name + ".lock"))) {
            Collection<Path> files = load.get();
            if (channel != null) {
                remember(unpacked, files);
            }
        } catch (IOException e) {
            LOG.debug("{}: {}", folder, e.toString()); // from closing: the lock ends with the process at the latest
        }
    }

    private static boolean isComplete(Path unpacked) {
        try {
            List<String> files = Files.readAllLines(unpacked);
            return !files.isEmpty() && files.stream().allMatch(file -> Files.exists(Path.of(file)));
        } catch (IOException | InvalidPathException e) {
            return false; // none yet
        }
    }

    private static void remember(Path unpacked, Collection<Path> files) {
        try {
            AtomicFile.write(
                    unpacked, files.stream().map(file -> file + "\n").sorted().collect(Collectors.joining()));
        } catch (InputException e) {
            LOG.debug("{}", e.getMessage()); // the next start takes the lock again
        }
    }

    /** Null if no lock is available. */
    private static @Nullable FileChannel lock(Path file) {
        FileChannel channel = null;
        try {
            Files.createDirectories(file.getParent());
            channel = FileChannel.open(file, StandardOpenOption.CREATE, StandardOpenOption.WRITE);
            channel.lock(); // released when the channel is closed
            return channel;
        } catch (IOException e) {
            LOG.debug("{} cannot be locked: {}", file, e.toString());
            try {
                if (channel != null) {
                    channel.close();
                }
            } catch (IOException closing) {
                e.addSuppressed(closing);
            }
            return null;
        }
    }
}
