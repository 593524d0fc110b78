package dev.prefix4j.text;

import com.fasterxml.jackson.databind.JsonNode;
import dev.prefix4j.Excerpt;
import dev.prefix4j.InputException;
import java.nio.file.Path;
import java.util.Set;
import java.util.regex.Pattern;

/**
 * Limits on a {@code tokenizer.json} before it reaches the Rust library, where a pattern that backtracks too long, or a count beyond the
 * end of a text, ends the process instead of raising an error. Real tokenizers are far below these limits.
 */
final class TokenizerBounds {
    private static final int MAX_TOKENS = 1 << 21;
    private static final int MAX_ADDED = 1 << 16;
    private static final int MAX_ID = 1 << 24;
    private static final int MAX_TOKEN_CHARACTERS = 4096;
    private static final int MAX_ADDED_CHARACTERS = 1024;
    private static final int MAX_PARTS = 64;
    private static final int MAX_DEPTH = 8;
    private static final int MAX_TEXT = 1024;
    private static final double MAX_GROWTH = 64;
    private static final Set<String> NORMALIZERS = Set.of(
            "Sequence",
            "NFC",
            "NFD",
            "NFKC",
            "NFKD",
            "Lowercase",
            "StripAccents",
            "Strip",
            "Nmt",
            "BertNormalizer",
            "Replace",
            "Prepend",
            "ByteLevel");
    private static final Set<String> PRE_TOKENIZERS = Set.of(
            "Sequence",
            "ByteLevel",
            "Whitespace",
            "WhitespaceSplit",
            "BertPreTokenizer",
            "Metaspace",
            "Split",
            "Punctuation",
            "Digits",
            "UnicodeScripts",
            "CharDelimiterSplit");
    private static final Set<String> DECODERS = Set.of(
            "Sequence",
            "ByteLevel",
            "WordPiece",
            "Metaspace",
            "BPEDecoder",
            "ByteFallback",
            "Fuse",
            "Strip",
            "Replace");
    private static final Set<String> MODELS = Set.of("BPE", "WordPiece", "WordLevel");

    private final Path file;
    private int parts;
    private double growth = 1;

    private TokenizerBounds(Path file) {
        this.file = file;
    }

    /** @throws InputException naming the key, if a value exceeds a limit */
    static void require(Path file, JsonNode json) {
        new TokenizerBounds(file).check(json);
    }

    private void check(JsonNode json) {
        JsonNode model = json.path("model");
        String type = model.path("type").asText("BPE");
        if (!MODELS.contains(type)) {
            throw wrong("model.type", "BPE, WordPiece or WordLevel", type);
        }
        tokens(model.path("vocab"));
        merges(model);
        if (model.path("dropout").asDouble(0) != 0) {
            throw wrong(
                    "model.dropout",
                    "0 or null, with which a text always has the same ids",
                    model.path("dropout").asText());
        }
        added(json.path("added_tokens"));
        part("normalizer", json.path("normalizer"), NORMALIZERS, 0);
        part("pre_tokenizer", json.path("pre_tokenizer"), PRE_TOKENIZERS, 0);
        growth = 1;
        part("decoder", json.path("decoder"), DECODERS, 0);
    }

    private void tokens(JsonNode vocabulary) {
        if (vocabulary.size() > MAX_TOKENS) {
            throw wrong("model.vocab", "at most " + MAX_TOKENS + " tokens", vocabulary.size() + " of them");
        }
        for (var token : vocabulary.properties()) {
            if (token.getKey().length() > MAX_TOKEN_CHARACTERS) {
                throw wrong("model.vocab", "tokens of at most " + MAX_TOKEN_CHARACTERS + " characters", token.getKey());
            }
            id("model.vocab", token.getValue());
        }
    }

    private void id(String key, JsonNode id) {
        if (!id.isInt() || id.intValue() < 0 || id.intValue() > MAX_ID) {
            throw wrong(key, "ids between 0 and " + MAX_ID, id.toString());
        }
    }

    private void merges(JsonNode model) {
        JsonNode merges = model.path("merges");
        if (merges.size() > MAX_TOKENS) {
            throw wrong("model.merges", "at most " + MAX_TOKENS + " pairs", merges.size() + " of them");
        }
        String prefix = model.path("continuing_subword_prefix").asText("");
        String suffix = model.path("end_of_word_suffix").asText("");
        if (prefix.length() > MAX_ADDED_CHARACTERS || suffix.length() > MAX_ADDED_CHARACTERS) {
            throw wrong("model", "a short prefix and suffix of subwords", prefix + suffix);
        }
        for (JsonNode merge : merges) {
            String right = merge.isArray()
                    ? merge.path(1).asText()
                    : merge.asText().substring(merge.asText().indexOf(' ') + 1);
            if (model.path("type").asText("BPE").equals("BPE")
                    && !prefix.isEmpty()
                    && !prefix.equals("null")
                    && !right.startsWith(prefix)) {
                throw wrong("model.merges", "a right half that begins with the prefix of subwords", merge.toString());
            }
        }
    }

    private void added(JsonNode tokens) {
        if (tokens.size() > MAX_ADDED) {
            throw wrong("added_tokens", "at most " + MAX_ADDED + " tokens", tokens.size() + " of them");
        }
        for (JsonNode token : tokens) {
            String content = token.path("content").asText();
            if (content.isEmpty() || content.length() > MAX_ADDED_CHARACTERS) {
                throw wrong("added_tokens", "tokens of 1 to " + MAX_ADDED_CHARACTERS + " characters", content);
            }
            id("added_tokens", token.path("id"));
        }
    }

    private void part(String key, JsonNode part, Set<String> types, int depth) {
        if (part.isMissingNode() || part.isNull()) {
            return;
        }
        if (++parts > MAX_PARTS || depth > MAX_DEPTH) {
            throw wrong(key, "at most " + MAX_PARTS + " parts, " + MAX_DEPTH + " deep", "more");
        }
        String type = part.path("type").asText();
        if (!types.contains(type)) {
            throw wrong(
                    key + ".type",
                    "one of " + String.join(", ", types.stream().sorted().toList()),
                    type);
        }
        for (String name : new String[] {"normalizers", "pretokenizers", "decoders"}) {
            for (JsonNode inner : part.path(name)) {
                part(key + "." + name, inner, types, depth + 1);
            }
        }
        for (JsonNode value : part) {
            if (value.isTextual() && value.textValue().length() > MAX_TEXT) {
                throw wrong(key, "texts of at most " + MAX_TEXT + " characters", value.textValue());
            }
        }
        JsonNode pattern = part.path("pattern");
        if (pattern.has("Regex")) {
            RegexBounds.require(
                    file, key + ".pattern.Regex", pattern.path("Regex").asText());
        }
        int added = switch (type) {
            case "Replace" -> part.path("content").asText().length();
            case "Prepend" -> part.path("prepend").asText().length();
            default -> 0;
        };
        int least = pattern.has("String")
                ? Math.max(1, pattern.path("String").asText().length())
                : 1;
        if (type.equals("Replace")
                && pattern.has("String")
                && pattern.path("String").asText().isEmpty()) {
            throw wrong(key + ".pattern.String", "a text that is not empty", "");
        }
        growth *= Math.max(1, (double) added / least);
        if (growth > MAX_GROWTH) {
            throw wrong(key, "parts that make a text at most " + (int) MAX_GROWTH + " times as long", "more");
        }
        if (type.equals("Strip")
                && (part.path("stop").asLong(0) != 0 || part.path("start").asLong(0) > MAX_TEXT)) {
            throw wrong(
                    key,
                    "start of at most " + MAX_TEXT + " and stop of 0",
                    part.path("stop").asText());
        }
    }

    private InputException wrong(String key, String expected, String found) {
        return new InputException(
                "%s: key '%s': expected %s, found %s".formatted(file, key, expected, Excerpt.of(found)));
    }

    /** Checks that a search for a pattern takes roughly linear time. */
    static final class RegexBounds {
        private static final Pattern BACK_REFERENCE = Pattern.compile("\\\\[1-9kg]|\\(\\?[<P'(&R0-9+~@|]");
        private static final int MAX_REPETITIONS = 64;

        private final Path file;
        private final String key;
        private final String text;
        private int at;
        private int depth;

        private RegexBounds(Path file, String key, String text) {
            this.file = file;
            this.key = key;
            this.text = text;
        }

        /** What a group or an alternative contains. */
        private record Content(int loops, boolean branches, boolean fails) {}

        static void require(Path file, String key, String text) {
            RegexBounds bounds = new RegexBounds(file, key, text);
            if (text.length() > MAX_TEXT) {
                throw bounds.wrong("a pattern of at most " + MAX_TEXT + " characters");
            }
            if (BACK_REFERENCE.matcher(text).find()) {
                throw bounds.wrong("a pattern without references, names, conditions or lookbehind");
            }
            bounds.alternatives();
        }

        /** The largest number of loops in one alternative. */
        private Content alternatives() {
            if (++depth > 16) {
                throw wrong("a pattern with groups at most 16 deep");
            }
            int most = 0;
            boolean branches = false;
            boolean fails = false;
            while (true) {
                Content one = sequence();
                branches |= one.branches();
                most = Math.max(most, one.loops());
                fails |= one.fails();
                if (at >= text.length() || text.charAt(at) == ')') {
                    depth--;
                    return new Content(most, branches, fails);
                }
                at++; // the bar
                branches = true;
            }
        }

        private Content sequence() {
            int loops = 0;
            boolean fails = false;
            boolean choices = false;
            while (at < text.length() && text.charAt(at) != '|' && text.charAt(at) != ')') {
                Content atom = atom();
                boolean loop = false;
                boolean optional = false;
                int quantifiers = 0;
                while (at < text.length() && "*+?{".indexOf(text.charAt(at)) >= 0) {
                    char c = text.charAt(at);
                    if ((++quantifiers > 1 && c != '?') || quantifiers > 2) { // a?? and a+? are lazy
                        throw wrong("no repetition directly after a repetition");
                    }
                    if (c == '{') {
                        loop |= counted();
                        optional |= text.startsWith("{0", at) || text.startsWith("{,", at);
                        at = text.indexOf('}', at);
                    } else {
                        loop |= c != '?';
                        optional |= c != '+';
                    }
                    at++;
                }
                if (loop && (atom.loops() > 0 || atom.branches())) {
                    throw wrong("no repeated group with a repetition or a choice in it");
                }
                int before = loops;
                loops += loop ? 1 : atom.loops();
                // Two loops can split a text in as many ways as it is long; a third, or a failure after them, tries
                // them all.
                if (loops > 2 || (before == 2 && !optional) || (before == 2 && atom.fails() && !optional)) {
                    throw wrong("at most two repetitions in an alternative, at its end");
                }
                fails |= atom.fails();
                choices |= optional || atom.branches();
            }
            return new Content(loops, choices, fails);
        }

        /** Whether a repetition {n,m} counts as a loop. */
        private boolean counted() {
            int end = text.indexOf('}', at);
            String inside = end < 0 ? "" : text.substring(at + 1, end);
            if (!inside.matches("[0-9]{0,4}(,[0-9]{0,4})?") || inside.isEmpty()) {
                throw wrong("{n}, {n,} or {n,m} with a brace");
            }
            for (String count : inside.split(",", -1)) {
                if (!count.isEmpty() && Integer.parseInt(count) > MAX_REPETITIONS) {
                    throw wrong("at most " + MAX_REPETITIONS + " repetitions");
                }
            }
            return !inside.equals("0") && !inside.equals("1") && !inside.equals("0,1");
        }

        private Content atom() {
            char c = text.charAt(at);
            if (c == '(') {
                at++;
                boolean look = text.startsWith("?!", at) || text.startsWith("?=", at);
                if (at < text.length() && text.charAt(at) == '?') {
                    while (at < text.length() && ":=!)".indexOf(text.charAt(at)) < 0) {
                        at++;
                    }
                    if (at < text.length() && text.charAt(at) != ')') {
                        at++;
                    }
                }
                Content content = alternatives();
                if (at >= text.length()) {
                    throw wrong("a ')' for every '('");
                }
                at++;
                return look ? new Content(content.loops(), content.branches(), true) : content;
            }
            if (c == '[') {
                set();
            } else if (c == '\\') {
                boolean property =
                        at + 2 < text.length() && "pPx".indexOf(text.charAt(at + 1)) >= 0 && text.charAt(at + 2) == '{';
                int end = property ? text.indexOf('}', at) : at + 1;
                if (end < 0 || end >= text.length()) {
                    throw wrong("a character after a backslash");
                }
                at = end + 1;
            } else {
                at++;
            }
            return new Content(0, false, false);
        }

        private void set() {
            int open = 0;
            for (; at < text.length(); at++) {
                char c = text.charAt(at);
                if (c == '\\') {
                    at++;
                } else if (c == '[') {
                    if (++open > 4) {
                        throw wrong("sets at most 4 deep");
                    }
                    if (at + 1 < text.length() && text.charAt(at + 1) == '^') {
                        at++;
                    }
                    if (at + 1 < text.length() && text.charAt(at + 1) == ']') {
                        at++;
                    }
                } else if (c == ']' && --open == 0) {
                    at++;
                    return;
                }
            }
            throw wrong("a ']' for every '['");
        }

        private InputException wrong(String expected) {
            return new InputException(
                    "%s: key '%s': expected %s, found %s".formatted(file, key, expected, Excerpt.of(text)));
        }
    }
}
