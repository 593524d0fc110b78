package dev.prefix4j.cli;

import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;

/**
 * Ends a run cleanly when the process is asked to stop (Ctrl-C, SIGTERM, SIGUSR1): it finishes the current step, then saves its state.
 *
 * <p>The JVM itself turns the first two into a shutdown; SIGUSR1, which Slurm sends before a time limit, would end it at once.
 */
final class Interruption implements BooleanSupplier, AutoCloseable {
    private static final int PATIENCE_SECONDS = 120;
    private static final String USER_SIGNAL = "USR1";
    private static final int SIGNAL_EXIT = 128; // as in shells and the JVM: the signal's number is added

    private final Console console;
    private final CountDownLatch ended = new CountDownLatch(1);
    private final Thread hook = new Thread(this::askAndWait, "interruption");
    private volatile boolean asked;

    Interruption(Console console) {
        this.console = console;
        Runtime.getRuntime().addShutdownHook(hook);
        exitOnUserSignal();
    }

    /** Makes SIGUSR1 shut the JVM down, even after the run, so that a late signal does not harm what is being written. */
    @SuppressWarnings("ReferenceEquality") // a proxy equals only itself
    private static void exitOnUserSignal() {
        try {
            // By reflection: javac warns about this package, and the warning cannot be suppressed.
            Class<?> signal = Class.forName("sun.misc.Signal");
            Class<?> handler = Class.forName("sun.misc.SignalHandler");
            Object user = signal.getConstructor(String.class).newInstance(USER_SIGNAL);
            int code = SIGNAL_EXIT + (int) signal.getMethod("getNumber").invoke(user);
            Object exit = Proxy.newProxyInstance(
                    handler.getClassLoader(),
                    new Class<?>[] {handler},
                    (self, method, arguments) -> switch (method.getName()) {
                        case "handle" -> {
                            System.exit(code);
                            yield null;
                        }
                        case "equals" -> self == arguments[0];
                        case "hashCode" -> System.identityHashCode(self);
                        default -> "exit on " + USER_SIGNAL;
                    });
            signal.getMethod("handle", signal, handler).invoke(null, user, exit);
        } catch (ClassNotFoundException | InvocationTargetException e) {
            // This JVM lacks the class, or this system the signal.
        } catch (ReflectiveOperationException e) {
            throw new IllegalStateException("sun.misc.Signal has changed", e);
        }
    }

    private void askAndWait() {
        asked = true;
        if (ended.getCount() > 0) {
            console.clearLine(); // the terminal wrote ^C into it
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

    /** The run has ended: the process may exit. */
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
