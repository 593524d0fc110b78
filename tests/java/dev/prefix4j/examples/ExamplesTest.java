package dev.prefix4j.examples;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The programs of {@code examples/}. */
class ExamplesTest {
    private static List<String> output(Consumer<PrintStream> program) {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        program.accept(new PrintStream(bytes, true, StandardCharsets.UTF_8));
        return bytes.toString(StandardCharsets.UTF_8).lines().toList();
    }

    @Test
    void pairsInMemoryAreLearned() {
        List<String> lines = output(AdaptInMemory::run);
        assertEquals(5, lines.size(), lines.toString());
        double loss = Double.parseDouble(lines.getLast().replaceAll("loss ([0-9.]+),.*", "$1"));
        double bleu = Double.parseDouble(lines.getLast().replaceAll(".*BLEU ", ""));
        assertTrue(loss < 0.5, lines.toString()); // 3 and more without a prefix
        assertTrue(bleu > 50, lines.toString());
    }

    @Test
    void aRunDirectoryIsResumedAndKeepsAnAdapter(@TempDir Path folder) {
        Path run = folder.resolve("run");
        List<String> first = output(out -> AdaptInRunDirectory.run(run, out));
        assertEquals(5, first.size(), first.toString());
        assertTrue(first.getFirst().startsWith("step 1 of 4: loss "), first.toString());
        List<String> second = output(out -> AdaptInRunDirectory.run(run, out));
        assertEquals(List.of(first.getLast()), second); // all steps are done
    }

    @Test
    void theReadmeShowsWhatRunsHere() throws IOException {
        String here = Files.readString(Path.of("examples/dev/prefix4j/examples/AdaptInMemory.java"))
                .replaceAll("\\s+", " ");
        String readme = Files.readString(Path.of("README.md"));
        String section = readme.substring(readme.indexOf("## As a library"));
        String code = section.substring(section.indexOf("```java") + 7);
        assertTrue(here.contains(code.substring(0, code.indexOf("```")).strip().replaceAll("\\s+", " ")));
    }
}
