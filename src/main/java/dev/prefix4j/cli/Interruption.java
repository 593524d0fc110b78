package dev.prefix4j.cli;

import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;

/** Lets a run end well when the process is asked to stop (Ctrl-C, SIGTERM): the step under way, then the state. */
final class Interruption implements BooleanSupplier, AutoCloseable {
    private static final int PATIENCE_SECONDS = 120;

    private final Console console;
    private final CountDownLatch ended = new CountDownLatch(1);
    private final Thread hook = new Thread(this::askAndWait, "interruption");
    private volatile boolean asked;

    Interruption(Console console) {
        this.console = console;
        Runtime.getRuntime().addShutdownHook(hook);
    }

    private void askAndWait() {
        asked = true;
        if (ended.getCount() > 0) {
            console.say("stopping after this step");
        }
        try {
            if (!ended.await(PATIENCE_SECONDS, TimeUnit.SECONDS)) {
                return; // the state of the last save is still there
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    @Override
    public boolean getAsBoolean() {
        return asked;
    }

    /** The run has ended: the process may go. */
    @Override
    public void close() {
        ended.countDown();
        if (!asked) {
            try {
                Runtime.getRuntime().removeShutdownHook(hook);
            } catch (IllegalStateException e) {
                // The process was asked to stop just now.
            }
        }
    }
}
