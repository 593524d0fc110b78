package dev.prefix4j.cli;

import java.io.InputStream;
import java.io.PrintStream;
import java.util.Map;

/**
 * Where a command reads and writes, and what it runs in.
 *
 * @param in standard input
 * @param out results
 * @param err progress and remarks
 * @param environment variables of the process
 */
record Console(InputStream in, PrintStream out, PrintStream err, Map<String, String> environment) {
    /** Whether somebody watches standard error: the launcher knows. */
    boolean isWatched() {
        return Boolean.getBoolean("prefix4j.terminal");
    }

    /** A remark for the user. */
    void say(String format, Object... arguments) {
        err.println(format.formatted(arguments));
    }
}
