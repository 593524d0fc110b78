package dev.prefix4j.hub;

import dev.prefix4j.InputException;
import java.util.regex.Pattern;

/** Checks names from a server that become part of a path: they may neither leave the folder nor be hidden files. */
final class PlainName {
    private static final Pattern PLAIN = Pattern.compile("[A-Za-z0-9_-][A-Za-z0-9._-]{0,127}");
    private static final int MAX_EXCERPT = 60;

    private PlainName() {}

    static boolean matches(String text) {
        return PLAIN.matcher(text).matches();
    }

    /**
     * @param where it was found, for the message
     * @throws InputException if the text is not a plain name
     */
    static String require(String text, String where) {
        if (!matches(text)) {
            throw new InputException("%s: expected at most 128 letters, digits, '.', '_' and '-', found '%s'"
                    .formatted(where, excerpt(text)));
        }
        return text;
    }

    /** One short line without control characters. */
    static String excerpt(String text) {
        String line = text.replaceAll("[\\p{Cntrl}\\p{Cf}\\p{Zl}\\p{Zp}]", "?");
        return line.length() > MAX_EXCERPT ? line.substring(0, MAX_EXCERPT) + "…" : line;
    }
}
