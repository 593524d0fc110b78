package dev.prefix4j.cli;

import dev.prefix4j.InputException;
import dev.prefix4j.text.Layout;
import dev.prefix4j.text.Tokenizer;
import dev.prefix4j.train.RunDirectory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/** Whether to work like the code of Li and Liang, quirks included. */
final class CompatOption {
    @Option(
            names = OptionNames.COMPAT,
            paramLabel = "C",
            defaultValue = "none",
            description = "authors: lay out text and decode like the code of Li and Liang, quirks included"
                    + " (docs/recipes.md).")
    String compat;

    /** @throws InputException if the value is neither none nor authors */
    boolean authors() {
        return switch (compat) {
            case "none" -> false;
            case "authors" -> true;
            default -> throw new InputException("compat: expected authors or none, found '" + compat + "'");
        };
    }

    Layout training() {
        return authors() ? Layout.AUTHORS_TRAINING : Layout.CLEAN;
    }

    Layout decoding() {
        return authors() ? Layout.AUTHORS_DECODING : Layout.CLEAN;
    }

    /** Prints a note if the adapter is still in the folder of its run and the run was trained with another value. */
    void note(@Nullable Path adapter, Console console) {
        Path run = adapter == null ? null : adapter.toAbsolutePath().normalize().getParent();
        if (run == null
                || !Files.isRegularFile(run.resolve(RunDirectory.CONFIG))
                || !Files.isRegularFile(run.resolve(RunDirectory.METRICS))) {
            return; // not a run: its configuration, if any, is another program's
        }
        String trained = RunDirectory.readConfig(run).text(OptionNames.key(OptionNames.COMPAT), "none");
        if (!trained.equals(compat)) {
            console.say("note: %s was trained with --compat %s, this is --compat %s", adapter, trained, compat);
        }
    }

    /** Tokens that no output contains: the authors forbid one and two line feeds. */
    Set<Integer> never(Tokenizer tokenizer) {
        if (!authors()) {
            return Set.of();
        }
        return Stream.of("\n", "\n\n")
                .map(tokenizer::encode)
                .filter(ids -> ids.length == 1)
                .map(ids -> ids[0])
                .collect(Collectors.toSet());
    }
}
