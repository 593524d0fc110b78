package dev.prefix4j.cli;

import dev.prefix4j.hub.HubEnvironment;
import dev.prefix4j.task.Models;
import java.io.InputStream;
import java.io.PrintStream;
import java.util.Map;
import me.tongfei.progressbar.ConsoleProgressBarConsumer;
import org.jspecify.annotations.Nullable;

/**
 * Where a command reads and writes, and what it runs in.
 *
 * @param in standard input
 * @param out results
 * @param err progress and remarks
 * @param environment variables of the process
 */
record Console(InputStream in, PrintStream out, PrintStream err, Map<String, String> environment) {
    /** Further lines of a remark begin so. */
    private static final String INDENT = "  ";

    /** Narrower terminals are left to break lines themselves. */
    private static final int LEAST_WIDTH = 30;

    /** Whether somebody watches standard error: the launcher knows. */
    boolean isWatched() {
        return Boolean.getBoolean("prefix4j.terminal");
    }

    /** A remark for the user; on a terminal it breaks between words. */
    @SuppressWarnings("AnnotateFormatMethod") // its annotation is no dependency of ours
    void say(String format, @Nullable Object... arguments) {
        String text = format.formatted(arguments);
        err.println(isWatched() ? wrapped(text, new ConsoleProgressBarConsumer(err).getMaxRenderedLength()) : text);
    }

    /** Where models and adapters come from, with downloads shown. */
    Models models() {
        return new Models(new HubEnvironment(environment), new DownloadProgress(this));
    }

    /** Clears the line of the cursor, where a bar or an echoed {@code ^C} stands. */
    void clearLine() {
        if (isWatched()) {
            err.print("\r\033[K");
        }
    }

    /** @param width of a line in characters; a longer word has a line of its own */
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
