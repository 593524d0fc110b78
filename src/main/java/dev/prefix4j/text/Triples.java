package dev.prefix4j.text;

import java.util.List;

/** How triples of subject, predicate and object become a source. */
final class Triples {
    private Triples() {}

    /** {@code subject : predicate : object}. */
    static String triple(List<String> parts) {
        return String.join(" : ", parts.stream().map(String::strip).toList());
    }

    /** Triples one after the other. */
    static String source(List<String> triples) {
        return String.join(" | ", triples);
    }
}
