package dev.prefix4j.report;

/** Text as HTML shows it: nothing in it is taken for markup. */
final class Html {
    private Html() {}

    /** For the content of an element, and for the value of an attribute in quotes. */
    static String escape(String text) {
        StringBuilder escaped = new StringBuilder(text.length() + 16);
        text.codePoints().forEach(c -> {
            switch (c) {
                case '&' -> escaped.append("&amp;");
                case '<' -> escaped.append("&lt;");
                case '>' -> escaped.append("&gt;");
                case '"' -> escaped.append("&quot;");
                case '\'' -> escaped.append("&#39;");
                default -> escaped.appendCodePoint(isShown(c) ? c : 0xfffd);
            }
        });
        return escaped.toString();
    }

    /** Not control characters, nor half a surrogate pair. */
    private static boolean isShown(int c) {
        return c == '\n' || c == '\t' || !Character.isISOControl(c) && Character.getType(c) != Character.SURROGATE;
    }
}
