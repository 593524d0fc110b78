package dev.prefix4j.cli;

import dev.prefix4j.InputException;
import dev.prefix4j.text.DataFile;
import dev.prefix4j.text.DataFormat;
import dev.prefix4j.text.DataOptions;
import dev.prefix4j.text.Example;
import dev.prefix4j.text.Layout;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import picocli.CommandLine.Option;

/** How data files are read. */
final class DataOptionsMixin {
    @Option(
            names = "--format",
            paramLabel = "F",
            description = "e2e, webnlg, dart, jsonl or tsv; found out from the content by default.")
    String format;

    @Option(
            names = "--source-field",
            paramLabel = "NAME",
            defaultValue = "source",
            description = "Field of a JSONL object that holds the source.")
    String sourceField;

    @Option(
            names = "--target-field",
            paramLabel = "NAME",
            defaultValue = "target",
            description = "Field of a JSONL object that holds the target or targets.")
    String targetField;

    /** @throws InputException if a limit is given and is below 1 */
    static void requireLimit(Integer limit) {
        if (limit != null && limit < 1) {
            throw new InputException("limit must be at least 1, was " + limit);
        }
    }

    /** @param limit rows to read; absent: all */
    List<Example> read(Path file, Integer limit) {
        return read(file, limit, Layout.CLEAN);
    }

    /** In a layout. */
    List<Example> read(Path file, Integer limit, Layout layout) {
        requireLimit(limit);
        return DataFile.read(
                BuiltIns.data(file),
                new DataOptions(
                        Optional.ofNullable(format).map(DataFormat::parse),
                        sourceField,
                        targetField,
                        limit == null ? Integer.MAX_VALUE : limit,
                        layout));
    }
}
