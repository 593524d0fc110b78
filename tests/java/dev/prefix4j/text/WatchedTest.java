package dev.prefix4j.text;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.prefix4j.InputException;
import java.time.Duration;
import java.util.concurrent.CountDownLatch;
import org.junit.jupiter.api.Test;

class WatchedTest {
    private static int waitFor(CountDownLatch latch) {
        try {
            latch.await();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
        return 1;
    }

    @Test
    void aCallThatDoesNotEndIsLeftBehind() {
        Watched watched = new Watched(Duration.ofSeconds(1));
        CountDownLatch never = new CountDownLatch(1);
        InputException late =
                assertThrows(InputException.class, () -> watched.call("text 'aaa'", () -> waitFor(never)));
        assertEquals(
                "text 'aaa': expected the tokenizer's answer within 1 s, found none: its rules take too long on this"
                        + " text",
                late.getMessage());
        assertTrue(watched.isStuck());
        InputException next = assertThrows(InputException.class, () -> watched.call("text 'b'", () -> 1));
        assertEquals("text 'b': the tokenizer is still busy with an earlier text", next.getMessage());
        never.countDown();
    }

    @Test
    void aCallThatEndsOrFailsIsNotInTheWay() {
        Watched watched = new Watched(Duration.ofSeconds(60));
        InputException failed = assertThrows(
                InputException.class,
                () -> watched.call("text 'a'", () -> {
                    throw new IllegalStateException("first line\nsecond line");
                }));
        assertEquals("text 'a': the tokenizer failed: first line", failed.getMessage());
        assertEquals(7, watched.call("text 'b'", () -> 7));
        assertFalse(watched.isStuck());
    }
}
