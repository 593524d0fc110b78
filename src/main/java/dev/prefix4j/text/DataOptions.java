package dev.prefix4j.text;

import java.util.Optional;

/**
 * How to read a data file.
 *
 * @param format absent: found out from the content
 * @param sourceField of a JSONL object
 * @param targetField of a JSONL object
 * @param limit rows or entries after which reading stops
 */
public record DataOptions(Optional<DataFormat> format, String sourceField, String targetField, int limit) {
    /** Everything, in the format that it looks like. */
    public static final DataOptions DEFAULTS =
            new DataOptions(Optional.empty(), "source", "target", Integer.MAX_VALUE);

    /** These options for a format. */
    public DataOptions withFormat(DataFormat given) {
        return new DataOptions(Optional.of(given), sourceField, targetField, limit);
    }

    /** These options with a limit. */
    public DataOptions withLimit(int rows) {
        return new DataOptions(format, sourceField, targetField, rows);
    }
}
