package dev.prefix4j.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;
import picocli.CommandLine;
import picocli.CommandLine.Model.OptionSpec;

/** What helps somebody who looks for an option: headings, completion, the names of PEFT. */
class OptionHelpTest {
    private final ByteArrayOutputStream out = new ByteArrayOutputStream();
    private final ByteArrayOutputStream err = new ByteArrayOutputStream();

    private int run(String... arguments) {
        return Main.run(
                arguments,
                new ByteArrayInputStream(new byte[0]),
                new PrintStream(out, true, StandardCharsets.UTF_8),
                new PrintStream(err, true, StandardCharsets.UTF_8));
    }

    static List<String> grouped() {
        return OptionGroups.commands();
    }

    @ParameterizedTest
    @MethodSource("grouped")
    void everyOptionIsUnderExactlyOneHeading(String command) {
        CommandLine line = Main.silent(Map.of()).getSubcommands().get(command);
        assertEquals(0, run(command, "--help"));
        String help = out.toString(StandardCharsets.UTF_8);
        String lists = help.substring(help.indexOf("\n\n") + 1); // after the synopsis
        for (OptionSpec option : line.getCommandSpec().options()) {
            assertNotNull(
                    OptionGroups.of(command, option),
                    command + " " + option.longestName() + ": expected a heading in OptionGroups");
            long times = Pattern.compile("(?m)^ .{0,20}?(?<![\\w-])" + option.longestName() + "(?![\\w-])")
                    .matcher(lists)
                    .results()
                    .count();
            assertEquals(1, times, option.longestName() + " in\n" + lists);
        }
        List<String> headings =
                lists.lines().filter(text -> text.matches("\\S.*:")).toList();
        assertEquals(headings.stream().distinct().toList(), headings);
        assertTrue(headings.containsAll(List.of("Model and data:", "Output:", "Runtime:")), headings.toString());
    }

    @Test
    void completionIsAScriptThatBashReads(@TempDir Path t) throws IOException, InterruptedException {
        assertEquals(0, run("completion"));
        String script = out.toString(StandardCharsets.UTF_8);
        assertTrue(
                script.contains("--prefix-length") && script.contains("pretrain") && script.contains("bashcompinit"),
                script);
        Path file = Files.writeString(t.resolve("completion.sh"), script);
        Process bash = new ProcessBuilder(
                        "bash", "-c", "bash -n " + file + " && . " + file + " && complete -p prefix4j")
                .redirectErrorStream(true)
                .start();
        String said = new String(bash.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertEquals(0, bash.waitFor(), said);
        assertTrue(said.contains("_complete_prefix4j"), said);
    }

    @ParameterizedTest
    @ValueSource(strings = {"--num_virtual_tokens", "--num-virtual-tokens=5", "--num-virtual-tokens"})
    void optionsOfPeftAreAnsweredWithTheirNameHere(String option) {
        assertEquals(2, run("train", "--model", "m", "--data", "d", "--out", "o", option));
        String text = err.toString(StandardCharsets.UTF_8);
        assertTrue(text.contains("prefix4j calls it --prefix-length"), text);
        assertEquals(1, text.lines().count(), text);
    }

    @Test
    void theirNameIsAnsweredWhereARequiredOptionIsMissingToo() {
        assertEquals(2, run("train", "--num_virtual_tokens", "5"));
        String text = err.toString(StandardCharsets.UTF_8);
        assertTrue(text.contains("Missing required option"), text);
        assertTrue(text.contains("prefix4j calls it --prefix-length"), text);
    }

    @Test
    void thePageHasTheTableOfTheHints() throws IOException {
        Map<String, String> page = Pattern.compile("(?m)^\\| `(\\w+)` \\| `(--[\\w-]+)` \\|")
                .matcher(Files.readString(Path.of("docs/coming-from-peft.md")))
                .results()
                .collect(Collectors.toMap((MatchResult row) -> row.group(1), row -> row.group(2)));
        assertEquals(PeftNames.table(), page);
        Map<String, CommandLine> commands = Main.silent(Map.of()).getSubcommands();
        PeftNames.table()
                .values()
                .forEach(option -> assertTrue(
                        commands.values().stream()
                                .anyMatch(command -> command.getCommandSpec().findOption(option) != null),
                        option));
    }
}
