package dev.prefix4j.hub;

import java.io.IOException;
import java.io.InputStream;
import java.time.Duration;

/** Closes a body on which nothing arrives any more, for a read has no time limit of its own. */
final class SilenceGuard implements AutoCloseable {
    private final InputStream body;
    private final long limit;
    private final Thread thread;
    private volatile long last = System.nanoTime();
    private volatile boolean acted;

    SilenceGuard(InputStream body, Duration limit) {
        this.body = body;
        this.limit = limit.toNanos();
        this.thread = Thread.ofVirtual().name("silence-guard").start(this::watch);
    }

    private void watch() {
        try {
            for (long left = limit; left > 0; left = limit - (System.nanoTime() - last)) {
                Thread.sleep(Duration.ofNanos(left));
            }
            acted = true;
            body.close();
        } catch (InterruptedException | IOException e) {
            // The body has ended, which is all that this was for.
        }
    }

    void heard() {
        last = System.nanoTime();
    }

    boolean hasActed() {
        return acted;
    }

    @Override
    public void close() {
        thread.interrupt();
    }
}
