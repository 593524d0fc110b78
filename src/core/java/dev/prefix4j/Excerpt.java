package dev.prefix4j;

/** Makes untrusted text safe to quote in a message: one short line without control characters. */
public final class Excerpt {
    private static final int MAX_CHARACTERS = 60;
    private static final int MAX_REASON_CHARACTERS = 160;

    private Excerpt() {}

    /** The first 60 characters; an ellipsis replaces the rest. */
    public static String of(String text) {
        return cut(text, MAX_CHARACTERS);
    }

    /** For a parser's message, which may quote the file. */
    public static String ofReason(String message) {
        return cut(String.valueOf(message), MAX_REASON_CHARACTERS);
    }

    private static String cut(String text, int max) {
        StringBuilder line = new StringBuilder();
        text.codePoints().limit(max).map(Excerpt::printable).forEach(line::appendCodePoint);
        return text.codePoints().skip(max).findAny().isPresent() ? line + "…" : line.toString();
    }

    private static int printable(int c) {
        return switch (Character.getType(c)) {
            case Character.CONTROL, Character.FORMAT, Character.SURROGATE -> ' ';
            case Character.LINE_SEPARATOR, Character.PARAGRAPH_SEPARATOR -> ' ';
            default -> c;
        };
    }
}
