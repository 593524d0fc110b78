package dev.prefix4j.cli;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.Map;

/** Runs command lines in this process, one after the other, and keeps what the last one printed. */
final class Shell {
    private final ByteArrayOutputStream out = new ByteArrayOutputStream();
    private final ByteArrayOutputStream err = new ByteArrayOutputStream();

    /** @return the exit code */
    int run(String... arguments) {
        return run(Map.of(), "", arguments);
    }

    /** @return the exit code */
    int run(Map<String, String> environment, String... arguments) {
        return run(environment, "", arguments);
    }

    /** @param input standard input */
    int run(Map<String, String> environment, String input, String[] arguments) {
        out.reset();
        err.reset();
        return Main.run(
                arguments,
                new ByteArrayInputStream(input.getBytes(StandardCharsets.UTF_8)),
                new PrintStream(out, true, StandardCharsets.UTF_8),
                new PrintStream(err, true, StandardCharsets.UTF_8),
                environment);
    }

    /** Standard error of the last command. */
    String errors() {
        return err.toString(StandardCharsets.UTF_8);
    }

    /** Standard output of the last command. */
    String output() {
        return out.toString(StandardCharsets.UTF_8);
    }
}
