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

    /**
     * A document that loads nothing but pictures that are in it.
     *
     * @param style sheet
     * @param body markup of our own; what strangers wrote has gone through {@link #escape}
     */
    static String document(String title, String style, String body) {
        return """
                <!DOCTYPE html>
                <html lang="en">
                <head>
                <meta charset="utf-8">
                <meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
                <title>%1$s</title>
                <style>
                body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 64rem; padding: 0 1rem; color: #1f2328; background: #f4f5f7 }
                table { background: #fff; border-radius: 8px }
                th { font-weight: 500; color: #59636e }
                %2$s</style>
                </head>
                <body>
                <h1>%1$s</h1>
                %3$s</body>
                </html>
                """
                .formatted(escape(title), style, body);
    }

    /** Not control characters, nor half a surrogate pair. */
    private static boolean isShown(int c) {
        return c == '\n' || c == '\t' || !Character.isISOControl(c) && Character.getType(c) != Character.SURROGATE;
    }
}
