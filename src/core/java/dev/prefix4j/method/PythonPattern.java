package dev.prefix4j.method;

import dev.prefix4j.Excerpt;
import dev.prefix4j.InputException;
import java.util.regex.Pattern;
import java.util.regex.PatternSyntaxException;

/**
 * A regular expression in an adapter's configuration, matched as PEFT does: Python's {@code re.fullmatch} on the name of a module. Only
 * syntax that means the same in both languages is supported. Length and work are bounded because the file may come from a stranger.
 */
final class PythonPattern {
    private static final int MAX_CHARACTERS = 4000;

    /** Characters that one match may read; names of modules have fewer than 40. */
    private static final int MAX_LOOKS = 200_000;

    private final Pattern pattern;
    private final String text;
    private final String where;

    /**
     * @param where the file and the key, for messages
     * @throws InputException if it is too long, or not a regular expression
     */
    PythonPattern(String where, String text) {
        this.where = where;
        if (text.length() > MAX_CHARACTERS) {
            throw new InputException("%s: expected a regular expression of at most %d characters, found %d"
                    .formatted(where, MAX_CHARACTERS, text.length()));
        }
        this.text = text;
        try {
            this.pattern = Pattern.compile(text.replace("(?P<", "(?<"));
        } catch (PatternSyntaxException e) {
            throw new InputException(
                    "%s: expected a regular expression, found '%s'".formatted(where, Excerpt.of(text)), e);
        } catch (StackOverflowError e) {
            throw tooMuch(e);
        }
    }

    /** Whether it matches a whole name. */
    boolean matches(String name) {
        try {
            return pattern.matcher(new Watched(name, new int[1])).matches();
        } catch (TooMuchWork | StackOverflowError e) {
            throw tooMuch(e);
        }
    }

    private InputException tooMuch(Throwable cause) {
        return new InputException(
                "%s: expected a regular expression that is matched in bounded time, found '%s'"
                        .formatted(where, Excerpt.of(text)),
                cause);
    }

    private static final class TooMuchWork extends RuntimeException {
        private static final long serialVersionUID = 1;

        TooMuchWork() {
            super("too much work", null, false, false);
        }
    }

    /** A name that counts how often its characters are read. */
    private record Watched(String name, int[] looks) implements CharSequence {
        @Override
        public int length() {
            return name.length();
        }

        @Override
        public char charAt(int index) {
            if (++looks[0] > MAX_LOOKS) {
                throw new TooMuchWork();
            }
            return name.charAt(index);
        }

        @Override
        public CharSequence subSequence(int start, int end) {
            return name.subSequence(start, end);
        }

        @Override
        public String toString() {
            return name;
        }
    }
}
