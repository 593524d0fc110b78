package dev.prefix4j.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.prefix4j.task.BuiltIns;
import dev.prefix4j.text.DataFile;
import dev.prefix4j.text.DataOptions;
import dev.prefix4j.text.Example;
import java.io.ByteArrayOutputStream;
import java.io.InputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The demo and what it needs, with few steps. */
class DemoTest {
    @TempDir
    Path folder;

    @Test
    void showsTablesBeforeAndAfterAndSaysWhatWasLearned() throws Exception {
        Path run = folder.resolve("demo");
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        ByteArrayOutputStream err = new ByteArrayOutputStream();
        int code = Main.run(
                new String[] {"demo", "--steps", "3", "--json", "--out", run.toString()},
                InputStream.nullInputStream(),
                new PrintStream(out, true, StandardCharsets.UTF_8),
                new PrintStream(err, true, StandardCharsets.UTF_8));
        String shown = err.toString(StandardCharsets.UTF_8);
        assertEquals(Main.OK, code, shown);
        JsonNode result = new ObjectMapper().readTree(out.toByteArray());
        for (String bleu : List.of("bleu_before", "bleu_after")) {
            assertTrue(result.path(bleu).isNumber(), bleu);
        }
        long bytes = Files.size(run.resolve("adapter/adapter_model.safetensors"));
        assertEquals(bytes, result.path("adapter_bytes").asLong());
        assertTrue(bytes > 4 * result.path("prefix_numbers").asLong());
        assertEquals(9, shown.lines().filter(line -> line.startsWith("    → ")).count(), shown);
        assertTrue(shown.contains("scripts/prefix4j train --model builtin:tiny"), shown);
        assertTrue(shown.contains("step 1 of 3: loss "), shown);
        err.reset();
        assertEquals(
                Main.FAILED,
                Main.run(
                        new String[] {"demo", "--out", run.toString()},
                        InputStream.nullInputStream(),
                        new PrintStream(out, true, StandardCharsets.UTF_8),
                        new PrintStream(err, true, StandardCharsets.UTF_8)));
        assertTrue(
                err.toString(StandardCharsets.UTF_8).contains("train --resume --out " + run),
                err.toString(StandardCharsets.UTF_8));
    }

    @Test
    void thePartsOfTheSampleShareNoSource() {
        Set<String> seen = new HashSet<>();
        for (String part : List.of("train", "valid", "test")) {
            Set<String> sources = new HashSet<>();
            for (Example example : DataFile.read(BuiltIns.data(Path.of("builtin:e2e/" + part)), DataOptions.DEFAULTS)) {
                sources.add(example.source());
            }
            int before = seen.size();
            seen.addAll(sources);
            assertEquals(before + sources.size(), seen.size(), part);
        }
        assertEquals(4200, seen.size());
    }
}
