package dev.prefix4j.hub;

import dev.prefix4j.AtomicFile;
import dev.prefix4j.InputFile;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentMap;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/**
 * Lets only one thread of one process at a time download a blob. The operating system releases
 * the lock when its process dies. Python's clients lock the same file differently ({@code flock}), which does
 * not exclude this lock on Linux; if two such downloads corrupt a file, the hash check finds it.
 */
final class BlobLock implements AutoCloseable {
    /** File locks belong to processes: threads need their own. */
    private static final ConcurrentMap<Path, ReentrantLock> OF_THREADS = new ConcurrentHashMap<>();

    private final ReentrantLock ofThreads;
    private final FileChannel channel;

    private BlobLock(ReentrantLock ofThreads, FileChannel channel) {
        this.ofThreads = ofThreads;
        this.channel = channel;
    }

    /**
     * Waits until the lock is free.
     *
     * @param file created if needed, with its folder, and not deleted
     * @param waiting called once if another holds the lock
     * @throws dev.prefix4j.InputException if the file cannot be created or locked
     */
    static BlobLock take(Path file, Runnable waiting) {
        AtomicFile.createFolder(HubCache.folderOf(file));
        if (Files.exists(file)) {
            InputFile.require(file, "a lock file"); // opening a pipe would wait for its other end
        }
        ReentrantLock ofThreads =
                OF_THREADS.computeIfAbsent(file.toAbsolutePath().normalize(), _ -> new ReentrantLock());
        boolean told = false;
        if (!ofThreads.tryLock()) {
            waiting.run();
            told = true;
            ofThreads.lock();
        }
        FileChannel channel = null;
        try {
            channel = FileChannel.open(file, StandardOpenOption.CREATE, StandardOpenOption.WRITE);
            if (channel.tryLock() == null) {
                if (!told) {
                    waiting.run();
                }
                channel.lock();
            }
            return new BlobLock(ofThreads, channel);
        } catch (IOException e) {
            release(ofThreads, channel);
            throw AtomicFile.cannotWrite(file, e);
        } catch (RuntimeException e) {
            release(ofThreads, channel);
            throw e;
        }
    }

    private static void release(ReentrantLock ofThreads, @Nullable FileChannel channel) {
        try {
            if (channel != null) {
                channel.close(); // releases the file lock
            }
        } catch (IOException e) {
            // The lock ends with the process at the latest.
        } finally {
            ofThreads.unlock();
        }
    }

    @Override
    public void close() {
        release(ofThreads, channel);
    }
}
