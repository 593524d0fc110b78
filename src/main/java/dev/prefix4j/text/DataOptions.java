package dev.prefix4j.text;

import dev.prefix4j.InputException;
import java.util.Objects;
import java.util.Optional;

/**
 * How to read a data file.
 *
 * @param format absent: found out from the content
 * @param sourceField of a JSONL object
 * @param targetField of a JSONL object
 * @param limit rows or entries after which reading stops
 * @param layout of the sources
 */
public record DataOptions(
        Optional<DataFormat> format, String sourceField, String targetField, int limit, Layout layout) {
    /** @throws InputException if a field has no name, or the limit is below 1 */
    public DataOptions {
        Objects.requireNonNull(format, "format");
        Objects.requireNonNull(layout, "layout");
        if (sourceField.isEmpty() || targetField.isEmpty()) {
            throw new InputException("field: expected a name, found an empty one");
        }
        if (limit < 1) {
            throw new InputException("limit must be at least 1, was " + limit);
        }
    }

    /** Everything, in the format that it looks like. */
    public static final DataOptions DEFAULTS =
            new DataOptions(Optional.empty(), "source", "target", Integer.MAX_VALUE, Layout.CLEAN);

    /** These options for a format. */
    public DataOptions withFormat(DataFormat given) {
        return new DataOptions(Optional.of(given), sourceField, targetField, limit, layout);
    }

    /** These options with a limit. */
    public DataOptions withLimit(int rows) {
        return new DataOptions(format, sourceField, targetField, rows, layout);
    }
}
