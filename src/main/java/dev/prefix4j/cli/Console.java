package dev.prefix4j.cli;

import java.io.InputStream;
import java.io.PrintStream;

/**
 * Where a command reads and writes.
 *
 * @param in standard input
 * @param out results
 * @param err progress and remarks
 */
record Console(InputStream in, PrintStream out, PrintStream err) {
    /** Whether somebody watches standard error: the launcher knows. */
    boolean isWatched() {
        return Boolean.getBoolean("prefix4j.terminal");
    }

    /** A remark for the user. */
    void say(String format, Object... arguments) {
        err.println(format.formatted(arguments));
    }
}
