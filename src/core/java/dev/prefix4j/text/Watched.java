package dev.prefix4j.text;

import dev.prefix4j.Excerpt;
import dev.prefix4j.InputException;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.Supplier;

/** A native call that cannot be stopped, on a thread of its own, which is left behind when the call takes too long. */
final class Watched {
    /** Long for a text of a megabyte on a busy machine; a host may set another limit. */
    private static final Duration LIMIT = Duration.ofSeconds(Long.getLong("prefix4j.tokenizer.seconds", 60));

    private static final long STACK_BYTES = 16 << 20;

    private final Duration limit;
    private volatile boolean stuck;

    Watched() {
        this(LIMIT);
    }

    /** @param limit of each call */
    Watched(Duration limit) {
        this.limit = limit;
    }

    /** Whether a call is still running that nobody waits for. */
    boolean isStuck() {
        return stuck;
    }

    /**
     * Runs a call.
     *
     * @param what was called, for the message
     * @throws InputException if it does not end in time
     */
    <T> T call(String what, Supplier<T> call) {
        if (stuck) {
            throw new InputException(what + ": the tokenizer is still busy with an earlier text");
        }
        CompletableFuture<T> result = new CompletableFuture<>();
        Thread thread = new Thread(
                null,
                () -> {
                    try {
                        result.complete(call.get());
                    } catch (Throwable e) {
                        result.completeExceptionally(e);
                    }
                },
                "tokenizer",
                STACK_BYTES);
        thread.setDaemon(true);
        thread.start();
        try {
            return result.get(limit.toMillis(), TimeUnit.MILLISECONDS);
        } catch (TimeoutException e) {
            stuck = true;
            throw new InputException(
                    "%s: expected the tokenizer's answer within %d s, found none: its rules do not suit the text"
                            .formatted(what, limit.toSeconds()),
                    e);
        } catch (ExecutionException e) {
            throw new InputException(
                    what + ": the tokenizer fails: "
                            + Excerpt.ofReason(String.valueOf(e.getCause().getMessage())
                                    .lines()
                                    .findFirst()
                                    .orElse("")),
                    e);
        } catch (InterruptedException e) {
            stuck = true;
            Thread.currentThread().interrupt();
            throw new InputException(what + ": the tokenizer was interrupted", e);
        }
    }
}
