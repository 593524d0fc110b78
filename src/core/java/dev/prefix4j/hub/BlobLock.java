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

/**
 * Lets one at a time download a blob, among the threads of this process and among processes. The operating system takes
 * the lock back when its process dies. Python's clients lock the same file in another way ({@code flock}), which does
 * not meet this one on Linux; what two such downloads make of a file, the check of its hash finds.
 */
final class BlobLock implements AutoCloseable {
    /** Locks of files belong to processes: threads need their own. */
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
     * @param file is made, with its folder, and stays
     * @param waiting is told once if another has the lock
     * @throws dev.prefix4j.InputException if the file cannot be made or locked
     */
    static BlobLock take(Path file, Runnable waiting) {
        AtomicFile.createFolder(file.getParent());
        if (Files.exists(file)) {
            InputFile.require(file, "a lock file"); // to open a pipe would wait for its other end
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

    private static void release(ReentrantLock ofThreads, FileChannel channel) {
        try {
            if (channel != null) {
                channel.close(); // gives back the lock of the file
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
