package dev.prefix4j.text;

import dev.prefix4j.Excerpt;
import dev.prefix4j.InputException;
import java.time.Duration;
import java.util.Objects;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.Supplier;

/** Runs a native call that cannot be stopped on its own thread, which is abandoned if the call takes too long. */
final class Watched {
    /** Ample for a text of a megabyte on a busy machine; a host may set another limit. */
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

    /** Whether an abandoned call is still running. */
    boolean isStuck() {
        return stuck;
    }

    /**
     * Runs a call.
     *
     * @param what is called, for the message
     * @throws InputException if it does not finish in time
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
                    "%s: expected the tokenizer's answer within %d s, found none: its rules take too long on this text"
                            .formatted(what, limit.toSeconds()),
                    e);
        } catch (ExecutionException e) {
            throw new InputException(
                    what + ": the tokenizer failed: "
                            + Excerpt.ofReason(String.valueOf(Objects.requireNonNull(e.getCause(), "what a task threw")
                                            .getMessage())
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
