package dev.prefix4j.text;

import dev.prefix4j.InputException;
import java.util.Objects;
import java.util.Optional;
import java.util.function.Consumer;

/**
 * How to read a data file.
 *
 * @param format absent: detected from the content
 * @param sourceField of a JSON object
 * @param targetField of a JSON object
 * @param limit rows or entries after which reading stops
 * @param layout of the sources
 * @param language of WebNLG's texts; absent: the only one, or English if there are several
 * @param targets whether targets are read; otherwise examples have none, whatever the file contains
 * @param remarks receives one line for each choice made where a file is ambiguous
 */
public record DataOptions(
        Optional<DataFormat> format,
        String sourceField,
        String targetField,
        int limit,
        Layout layout,
        Optional<String> language,
        boolean targets,
        Consumer<String> remarks) {
    /** @throws InputException if a field has no name, or the limit is below 1 */
    public DataOptions {
        Objects.requireNonNull(format, "format");
        Objects.requireNonNull(layout, "layout");
        Objects.requireNonNull(language, "language");
        Objects.requireNonNull(remarks, "remarks");
        if (sourceField.isEmpty() || targetField.isEmpty()) {
            throw new InputException("field: expected a name, found an empty one");
        }
        if (limit < 1) {
            throw new InputException("limit must be at least 1, was " + limit);
        }
    }

    /** With targets, in any language, without remarks. */
    public DataOptions(Optional<DataFormat> format, String sourceField, String targetField, int limit, Layout layout) {
        this(format, sourceField, targetField, limit, layout, Optional.empty(), true, _ -> {});
    }

    /** All rows, in the detected format. */
    public static final DataOptions DEFAULTS =
            new DataOptions(Optional.empty(), "source", "target", Integer.MAX_VALUE, Layout.CLEAN);

    /** These options for a format. */
    public DataOptions withFormat(DataFormat given) {
        return new DataOptions(Optional.of(given), sourceField, targetField, limit, layout, language, targets, remarks);
    }

    /** These options with a limit. */
    public DataOptions withLimit(int rows) {
        return new DataOptions(format, sourceField, targetField, rows, layout, language, targets, remarks);
    }

    /** These options for WebNLG's texts in a language. */
    public DataOptions withLanguage(String given) {
        return new DataOptions(format, sourceField, targetField, limit, layout, Optional.of(given), targets, remarks);
    }

    /** These options for sources only. */
    public DataOptions withoutTargets() {
        return new DataOptions(format, sourceField, targetField, limit, layout, language, false, remarks);
    }
}
