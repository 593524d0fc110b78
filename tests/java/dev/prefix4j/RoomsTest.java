package dev.prefix4j;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** Holds the imports of every package to what its sign says. */
class RoomsTest {
    private static final Path SOURCES = Path.of("src/main/java/dev/prefix4j");
    private static final Pattern IMPORT = Pattern.compile("^import (?:static )?dev\\.prefix4j\\.([a-z0-9]+)\\.");
    private static final Map<String, Set<String>> MAY_IMPORT = Map.ofEntries(
            Map.entry("torch", Set.of()),
            Map.entry("text", Set.of()),
            Map.entry("hub", Set.of()),
            Map.entry("gpt2", Set.of("torch")),
            Map.entry("kernels", Set.of("torch")),
            Map.entry("frozen", Set.of("text", "gpt2", "kernels", "torch")),
            Map.entry("prefix", Set.of("gpt2", "torch")),
            Map.entry("eval", Set.of("text", "frozen", "gpt2", "torch")),
            Map.entry("method", Set.of("text", "prefix", "frozen", "gpt2", "torch")),
            Map.entry("train", Set.of("kernels", "text", "prefix", "method", "eval", "frozen", "gpt2", "torch")),
            Map.entry("generate", Set.of("text", "prefix", "frozen", "gpt2", "torch")),
            Map.entry("pretrain", Set.of("text", "gpt2", "eval", "train", "torch")),
            Map.entry("experiment", Set.of()),
            Map.entry("report", Set.of("train", "eval")),
            Map.entry(
                    "cli",
                    Set.of(
                            "torch",
                            "kernels",
                            "text",
                            "hub",
                            "gpt2",
                            "frozen",
                            "prefix",
                            "method",
                            "eval",
                            "train",
                            "generate",
                            "pretrain",
                            "report",
                            "experiment")));

    private static List<Path> sources() throws IOException {
        try (Stream<Path> files = Files.walk(SOURCES)) {
            return files.filter(file -> file.toString().endsWith(".java")).toList();
        }
    }

    @Test
    void packagesImportOnlyWhatTheirSignsAllow() throws IOException {
        List<String> wrong = new ArrayList<>();
        for (Path file : sources()) {
            String room = SOURCES.relativize(file).getParent() == null
                    ? ""
                    : SOURCES.relativize(file).getName(0).toString();
            for (String line : Files.readAllLines(file)) {
                var match = IMPORT.matcher(line);
                if (match.find()
                        && !match.group(1).equals(room)
                        && !MAY_IMPORT.getOrDefault(room, Set.of()).contains(match.group(1))) {
                    wrong.add(file + ": " + line);
                }
            }
        }
        assertEquals(List.of(), wrong);
    }

    @Test
    void onlyTheBindingsUseForeignMemory() throws IOException {
        for (Path file : sources()) {
            if (!file.startsWith(SOURCES.resolve("torch")) && !file.startsWith(SOURCES.resolve("kernels"))) {
                assertTrue(!Files.readString(file).contains("import java.lang.foreign"), file.toString());
            }
        }
    }

    @Test
    void everyPackageHasASign() throws IOException {
        try (Stream<Path> folders = Files.walk(SOURCES)) {
            for (Path folder : folders.filter(Files::isDirectory).toList()) {
                assertTrue(Files.exists(folder.resolve("package-info.java")), folder.toString());
            }
        }
    }
}
