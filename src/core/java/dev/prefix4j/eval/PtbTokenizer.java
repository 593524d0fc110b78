package dev.prefix4j.eval;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Splits a line as the Penn Treebank does (Marcus et al. 1993), with the conventions of the Stanford tokenizer that the COCO
 * caption code runs: clitics are separate words ({@code is n't}), hyphens stay inside words, a full stop is part of an
 * abbreviation and of a word before a comma, a pound sign is {@code #}, a bracket {@code -LRB-}.
 *
 * <p>It covers plain English. Web addresses, dates with slashes, fractions, emoticons and the long tail of abbreviations
 * are not handled as in Stanford's.
 */
final class PtbTokenizer {
    /** Tokens that the COCO caption code drops. It looks for brackets as -LRB-, but they are already in lower case, so they stay. */
    private static final Set<String> COCO_PUNCTUATION = Set.of(
            "''", "'", "``", "`", "-LRB-", "-RRB-", "-LCB-", "-RCB-", ".", "?", "!", ",", ":", "-", "--", "...", ";");

    private static final String END = "(?![\\p{L}\\p{M}\\d_])";
    private static final String LETTER = "(?:(?!n't" + END + ")[\\p{L}\\p{M}\\d_])";
    private static final String CLITIC = "'(?:s|d|m|re|ve|ll)" + END;
    private static final String NUMBER = "\\d+(?:[.,:/]\\d+)*";
    private static final String ABBREVIATION =
            "(?<![\\p{L}\\d])(?:mr|mrs|ms|dr|prof|st|sr|jr|rev|gen|gov|sen|rep|capt|col|sgt|lt"
                + "|inc|ltd|co|corp|bros|vs|etc|al|no(?=\\.\\s*\\d)|jan|feb|aug|sept?|oct|nov|dec|mt|ave|blvd|(?:\\p{L}\\.)*\\p{L})\\.(?!\\p{L})";

    /** The pattern of a token; the first alternative that matches is used. */
    private static final Pattern TOKEN = Pattern.compile(
            String.join(
                    "|",
                    "(?:(?<![\\p{L}\\p{M}\\d_])[-+])?" + NUMBER + "(?:-" + NUMBER + ")*" + "(?![\\p{L}\\d]|-\\p{L})",
                    "\\d+(?:[.,]\\d+)+",
                    ABBREVIATION,
                    "can(?=not" + END + ")",
                    LETTER + "+(?:(?:[-&/]|'(?!(?:s|d|m|re|ve|ll)" + END + ")|\\.(?=\\p{L}))" + LETTER
                            + "+)*(?:\\.(?=[,;:]))?",
                    "n't" + END,
                    CLITIC,
                    "\\.{3,}",
                    "-{2,}",
                    "``|''",
                    "\\S"),
            Pattern.CASE_INSENSITIVE | Pattern.UNICODE_CASE);

    private PtbTokenizer() {}

    /** Words in lower case without punctuation, as in the COCO caption code. */
    static List<String> cocoWords(String text) {
        List<String> words = new ArrayList<>();
        for (String token : tokens(text)) {
            String word = token.toLowerCase(Locale.ROOT);
            if (!COCO_PUNCTUATION.contains(word)) {
                words.add(word);
            }
        }
        return words;
    }

    static List<List<List<String>>> cocoWords(List<List<String>> texts) {
        return texts.stream()
                .map(segment -> segment.stream().map(PtbTokenizer::cocoWords).toList())
                .toList();
    }

    static List<String> tokens(String text) {
        String line = text.strip()
                .replace('’', '\'')
                .replace("‘", "`")
                .replace("“", "``")
                .replace("”", "''")
                .replace("…", "...")
                .replaceAll("[–—]", "--")
                .replace("&amp;", "&");
        List<String> tokens = new ArrayList<>();
        Matcher token = TOKEN.matcher(line);
        while (token.find()) {
            tokens.add(
                    switch (token.group()) {
                        case "(" -> "-LRB-";
                        case ")" -> "-RRB-";
                        case "[" -> "-LSB-";
                        case "]" -> "-RSB-";
                        case "{" -> "-LCB-";
                        case "}" -> "-RCB-";
                        case "£" -> "#";
                        case "€" -> "$";
                        case "\"" -> opens(line, token) ? "``" : "''";
                        case "'" -> opens(line, token) ? "`" : "'";
                        case String other -> other.matches("\\.{3,}") ? "..." : other.matches("-{2,}") ? "--" : other;
                    });
        }
        return tokens;
    }

    /** Whether a quotation mark is before a word rather than after one. */
    private static boolean opens(String line, Matcher mark) {
        return mark.end() < line.length()
                && !Character.isWhitespace(line.charAt(mark.end()))
                && (mark.start() == 0 || !Character.isLetterOrDigit(line.charAt(mark.start() - 1)));
    }
}
