package dev.prefix4j.cli;

import dev.prefix4j.hub.HubEnvironment;
import dev.prefix4j.task.Models;
import java.io.InputStream;
import java.io.PrintStream;
import java.util.Map;
import me.tongfei.progressbar.ConsoleProgressBarConsumer;
import org.jspecify.annotations.Nullable;

/**
 * Where a command reads and writes, and its environment.
 *
 * @param in standard input
 * @param out results
 * @param err progress and remarks
 * @param environment variables of the process
 */
record Console(InputStream in, PrintStream out, PrintStream err, Map<String, String> environment) {
    /** Begins the further lines of a remark. */
    private static final String INDENT = "  ";

    /** On narrower terminals, lines are not wrapped. */
    private static final int LEAST_WIDTH = 30;

    /** Whether standard error is a terminal, according to the launcher. */
    boolean isWatched() {
        return Boolean.getBoolean("prefix4j.terminal");
    }

    /** Prints a remark for the user; on a terminal, it is wrapped between words. */
    @SuppressWarnings("AnnotateFormatMethod") // its annotation is not among our dependencies
    void say(String format, @Nullable Object... arguments) {
        String text = format.formatted(arguments);
        err.println(isWatched() ? wrapped(text, new ConsoleProgressBarConsumer(err).getMaxRenderedLength()) : text);
    }

    /** Finds models and adapters, and shows downloads. */
    Models models() {
        return new Models(new HubEnvironment(environment), new DownloadProgress(this));
    }

    /** Clears the cursor's line, which may hold a progress bar or an echoed {@code ^C}. */
    void clearLine() {
        if (isWatched()) {
            err.print("\r\033[K");
        }
    }

    /** @param width of a line in characters; a longer word gets its own line */
    static String wrapped(String text, int width) {
        if (text.length() <= width || width < LEAST_WIDTH) {
            return text;
        }
        StringBuilder all = new StringBuilder();
        int column = 0;
        for (String word : text.split("(?<=\\S)(?= +\\S)", 0)) { // each with the spaces before it
            if (column > 0 && column + word.length() > width) {
                all.append('\n').append(INDENT);
                column = INDENT.length();
                word = word.stripLeading();
            }
            all.append(word);
            column += word.length();
        }
        return all.toString();
    }
}
