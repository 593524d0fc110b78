package dev.prefix4j.eval;

import dev.prefix4j.InputException;
import java.util.List;
import java.util.Locale;
import java.util.regex.Pattern;

/** How BLEU splits a text into words. */
public enum BleuTokenizer {
    /** The tokenizer of mteval-v13a, used by WMT; sacreBLEU's default. */
    V13A("13a"),
    /** At white space. */
    NONE("none");

    private static final Pattern WORDS = Pattern.compile("[^ \\t\\n\\x0B\\f\\r\\x1c-\\x1f\\x85\\p{Z}]+");

    // The rules of mteval-v13a.pl, which covers only ASCII punctuation.
    private static final Pattern PUNCTUATION = Pattern.compile("([\\{-\\~\\[-\\` -\\&\\(-\\+\\:-\\@\\/])");
    private static final Pattern STOP_AFTER_OTHER = Pattern.compile("([^0-9])([\\.,])");
    private static final Pattern STOP_BEFORE_OTHER = Pattern.compile("([\\.,])([^0-9])");
    private static final Pattern DASH_AFTER_DIGIT = Pattern.compile("([0-9])(-)");

    private final String label;

    BleuTokenizer(String label) {
        this.label = label;
    }

    /** @throws InputException if there is no such tokenizer */
    public static BleuTokenizer parse(String name) {
        return switch (name.toLowerCase(Locale.ROOT)) {
            case "13a" -> V13A;
            case "none" -> NONE;
            default -> throw new InputException("tokenize: expected 13a or none, found '" + name + "'");
        };
    }

    /** Words of a text. */
    List<String> words(String text) {
        String split = switch (this) {
            case V13A -> v13a(text);
            case NONE -> text;
        };
        return WORDS.matcher(split)
                .results()
                .map(java.util.regex.MatchResult::group)
                .toList();
    }

    private static String v13a(String text) {
        String line = text.replace("<skipped>", "").replace("-\n", "").replace('\n', ' ');
        if (line.contains("&")) {
            line = line.replace("&quot;", "\"")
                    .replace("&amp;", "&")
                    .replace("&lt;", "<")
                    .replace("&gt;", ">");
        }
        line = " " + line + " ";
        line = PUNCTUATION.matcher(line).replaceAll(" $1 ");
        line = STOP_AFTER_OTHER.matcher(line).replaceAll("$1 $2 ");
        line = STOP_BEFORE_OTHER.matcher(line).replaceAll(" $1 $2");
        return DASH_AFTER_DIGIT.matcher(line).replaceAll("$1 $2 ");
    }

    @Override
    public String toString() {
        return label;
    }
}
