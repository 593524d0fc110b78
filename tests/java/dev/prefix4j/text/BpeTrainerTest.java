package dev.prefix4j.text;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.prefix4j.InputException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Against Hugging Face tokenizers ({@code scripts/fixtures/bpe.py}). */
class BpeTrainerTest {
    private static final Path FIXTURES = Path.of("tests/resources/bpe");
    private static final ObjectMapper JSON = new ObjectMapper();

    @TempDir
    Path folder;

    private String text;
    private JsonNode expected;

    @BeforeEach
    void load() throws IOException {
        text = Files.readString(FIXTURES.resolve("text.txt"));
        expected = JSON.readTree(FIXTURES.resolve("expected.json").toFile());
    }

    private Path train(String text, int size) {
        BpeTrainer trainer = new BpeTrainer();
        trainer.add(text);
        Path file = folder.resolve("tokenizer.json");
        trainer.write(file, size);
        return file;
    }

    @Test
    void mergesAreThoseOfHuggingFace() throws IOException {
        JsonNode model = JSON.readTree(
                        train(text.strip(), expected.path("vocab").size()).toFile())
                .path("model");
        List<String> merges = new ArrayList<>();
        model.path("merges")
                .forEach(pair ->
                        merges.add(pair.get(0).asText() + " " + pair.get(1).asText()));
        List<String> reference = new ArrayList<>();
        expected.path("merges").forEach(merge -> reference.add(merge.asText()));
        assertEquals(reference, merges);
        assertEquals(expected.path("vocab"), model.path("vocab"));
    }

    @Test
    void theTokenizerLoadsAndGivesTheSameIds() {
        train(text.strip(), expected.path("vocab").size());
        try (Tokenizer tokenizer = Tokenizer.load(folder)) {
            int[] ids = JSON.convertValue(expected.path("ids"), int[].class);
            assertArrayEquals(ids, tokenizer.encode(text));
            assertEquals(text, tokenizer.decode(ids));
            assertEquals(0, tokenizer.id("<|endoftext|>"));
        }
    }

    @Test
    void equalTextsGiveEqualFiles() throws IOException {
        String first = Files.readString(train(text, 300));
        assertEquals(first, Files.readString(train(text, 300)));
    }

    @Test
    void tooLittleTextIsSaid() {
        InputException e = assertThrows(InputException.class, () -> train("abab", 300));
        assertEquals("vocab-size: expected at most 259 for so little text, found 300", e.getMessage());
        assertFalse(Files.exists(folder.resolve("tokenizer.json")));
        e = assertThrows(InputException.class, () -> train("abab", 256));
        assertEquals("vocab-size must be at least 257, was 256", e.getMessage());
    }
}
