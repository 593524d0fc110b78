package dev.prefix4j.text;

import dev.prefix4j.InputException;
import java.util.Locale;

/** Formats of data files. */
public enum DataFormat {
    /**
     * The CSV of the E2E challenge (Novikova et al. 2017): columns {@code mr} and {@code ref}, quoted as in RFC 4180,
     * or the hub's {@code meaning_representation} and {@code human_reference}; separated by a comma, semicolon or tab.
     * {@code name[Alimentum], area[city centre]} becomes {@code name : Alimentum | area : city centre}.
     */
    E2E,
    /**
     * The XML of the WebNLG challenge 2017 (Gardent et al. 2017), or a folder of such files: each entry's modified
     * triples become {@code subject : predicate : object | …}, its {@code lex} texts the targets.
     */
    WEBNLG,
    /** DART (Nan et al. 2021) as JSON, or as XML, which is WebNLG's; triples become text as in {@link #WEBNLG}. */
    DART,
    /** Objects with a source and a target, concatenated or in one JSON list; a list of sources is one text, a list of targets several. */
    JSONL,
    /** A source, a tab and a target on each line; no header, no quoting. */
    TSV;

    /** @throws InputException if there is no such format */
    public static DataFormat parse(String name) {
        for (DataFormat format : values()) {
            if (format.name().equalsIgnoreCase(name)) {
                return format;
            }
        }
        throw new InputException("format: expected e2e, webnlg, dart, jsonl or tsv, found '" + name + "'");
    }

    @Override
    public String toString() {
        return name().toLowerCase(Locale.ROOT);
    }
}
