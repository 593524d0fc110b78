package dev.prefix4j.text;

import java.util.List;
import java.util.Locale;

/**
 * How rows become text. {@link #CLEAN} is the natural layout; the others follow the code of Li and Liang
 * (github.com/XiangLi1999/PrefixTuning, {@code gpt2/}), even where that looks like a mistake, for results to be compared with theirs
 * (docs/recipes.md has a table).
 */
public enum Layout {
    /** {@code source}, BOS, {@code " target"}, EOS. */
    CLEAN,

    /**
     * {@code " source "}, BOS, {@code " target "}, EOS: the spaces before BOS and EOS are tokens of their own. A separator precedes
     * every WebNLG triple, including the first. DART's relations are in lower case.
     */
    AUTHORS_TRAINING,

    /** As in training, but the first entry of a WebNLG file has no separator at all. */
    AUTHORS_DECODING;

    private static final String SEPARATOR = " | ";

    private boolean isClean() {
        return this == CLEAN;
    }

    /** A triple of WebNLG or DART: {@code subject : predicate : object}. */
    String triple(List<String> parts, boolean dart) {
        List<String> stripped = parts.stream().map(String::strip).toList();
        String relation = dart && !isClean() ? stripped.get(1).toLowerCase(Locale.ROOT) : stripped.get(1);
        return String.join(" : ", stripped.get(0), relation, stripped.get(2));
    }

    /** Triples of an entry of DART. */
    String dartSource(List<String> triples) {
        return spaced(String.join(SEPARATOR, triples));
    }

    /** Triples of the entry of WebNLG with that index in its file. */
    String webNlgSource(List<String> triples, int entry) {
        return switch (this) {
            case CLEAN -> String.join(SEPARATOR, triples);
            case AUTHORS_TRAINING -> spaced(SEPARATOR + String.join(SEPARATOR, triples));
            case AUTHORS_DECODING ->
                spaced(entry == 0 ? String.join("", triples) : SEPARATOR + String.join(SEPARATOR, triples));
        };
    }

    /** Any other source. */
    public String source(String text) {
        return spaced(text);
    }

    private String spaced(String source) {
        return isClean() ? source : " " + source + " ";
    }

    /** The text between BOS and EOS. */
    String target(String text) {
        return isClean() ? " " + text : " " + text + " ";
    }
}
