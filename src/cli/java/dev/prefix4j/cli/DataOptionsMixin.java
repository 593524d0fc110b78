package dev.prefix4j.cli;

import dev.prefix4j.InputException;
import dev.prefix4j.InputFile;
import dev.prefix4j.task.BuiltIns;
import dev.prefix4j.task.ModelName;
import dev.prefix4j.text.DataFile;
import dev.prefix4j.text.DataFormat;
import dev.prefix4j.text.DataOptions;
import dev.prefix4j.text.Example;
import dev.prefix4j.text.Layout;
import java.io.InputStream;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** How data files are read. */
final class DataOptionsMixin {
    /** Names standard input in place of a data file. */
    static final String STANDARD_INPUT = "-";

    @Option(
            names = OptionNames.FORMAT,
            paramLabel = "F",
            description = "e2e, webnlg, dart, jsonl or tsv; detected from the content by default.")
    @Nullable
    String format;

    @Option(
            names = OptionNames.SOURCE_FIELD,
            paramLabel = "NAME",
            defaultValue = "source",
            description = "Field of a JSON object that holds the source.")
    String sourceField;

    @Option(
            names = OptionNames.TARGET_FIELD,
            paramLabel = "NAME",
            defaultValue = "target",
            description = "Field of a JSON object that holds the target or targets.")
    String targetField;

    @Option(
            names = OptionNames.LANG,
            paramLabel = "L",
            description =
                    "Language of WebNLG's texts, such as en or ru; by default the only one, or English if there are"
                            + " several.")
    @Nullable
    String language;

    @Spec(Spec.Target.MIXEE)
    CommandSpec command;

    private boolean standardInputIsRead;

    /** @throws InputException if the limit is below 1 */
    static void requireLimit(@Nullable Integer limit) {
        if (limit != null && limit < 1) {
            throw new InputException("limit must be at least 1, was " + limit);
        }
    }

    /** @param limit rows to read; null: all */
    List<Example> read(Path file, @Nullable Integer limit) {
        return read(file, limit, Layout.CLEAN);
    }

    private InputStream standardInput() {
        if (standardInputIsRead) {
            throw new InputException(
                    STANDARD_INPUT + ": standard input can be read only once, and two options name it: name a file");
        }
        standardInputIsRead = true;
        return ((ConsoleCommand) command.userObject()).console.in();
    }

    /** Reads examples in a layout. */
    List<Example> read(Path file, @Nullable Integer limit, Layout layout) {
        return read(file, limit, layout, true);
    }

    /** Reads sources only, ignoring targets. */
    List<Example> readSources(Path file, @Nullable Integer limit, Layout layout) {
        return read(file, limit, layout, false);
    }

    private List<Example> read(Path file, @Nullable Integer limit, Layout layout, boolean targets) {
        requireLimit(limit);
        DataOptions options = new DataOptions(
                Optional.ofNullable(format).map(DataFormat::parse),
                sourceField,
                targetField,
                limit == null ? Integer.MAX_VALUE : limit,
                layout,
                Optional.ofNullable(language),
                targets,
                remark -> command.commandLine().getErr().println(remark));
        if (file.toString().equals(STANDARD_INPUT)) {
            return DataFile.read(standardInput(), Path.of("standard input"), options);
        }
        return file.toString().startsWith(ModelName.BUILT_IN)
                ? DataFile.read(
                        InputFile.open(BuiltIns.data(file), "a data file"),
                        file,
                        options) // the user knows its name, not its path
                : DataFile.read(file, options);
    }
}
