package dev.prefix4j.text;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.prefix4j.InputException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class TokenizerTest {
    private static final Path MODEL = Path.of("tests/resources/model");

    @TempDir
    Path temporary;

    private static void expectTheIdsOfRust(Tokenizer tokenizer) throws IOException {
        List<String> texts = new ArrayList<>();
        List<int[]> expected = new ArrayList<>();
        for (JsonNode node :
                new ObjectMapper().readTree(MODEL.resolve("tokens.json").toFile())) {
            texts.add(node.path("text").asText());
            int[] ids = new int[node.path("ids").size()];
            for (int i = 0; i < ids.length; i++) {
                ids[i] = node.path("ids").get(i).intValue();
            }
            expected.add(ids);
        }
        List<int[]> batch = tokenizer.encode(texts);
        for (int i = 0; i < texts.size(); i++) {
            assertArrayEquals(expected.get(i), tokenizer.encode(texts.get(i)), texts.get(i));
            assertArrayEquals(expected.get(i), batch.get(i), texts.get(i));
            assertEquals(texts.get(i).replace("<|endoftext|>", ""), tokenizer.decode(expected.get(i)));
        }
    }

    @Test
    void givesTheIdsOfTheRustTokenizers() throws IOException {
        try (Tokenizer tokenizer = Tokenizer.load(MODEL)) {
            expectTheIdsOfRust(tokenizer);
            assertEquals(300, tokenizer.vocabularySize());
        }
    }

    @Test
    void vocabularyAndMergesMakeTheSameTokenizer() throws IOException {
        Files.copy(MODEL.resolve("vocab.json"), temporary.resolve("vocab.json"));
        Files.copy(MODEL.resolve("merges.txt"), temporary.resolve("merges.txt"));
        try (Tokenizer tokenizer = Tokenizer.load(temporary)) {
            expectTheIdsOfRust(tokenizer);
        }
    }

    @Test
    void neitherCutsNorPads() {
        try (Tokenizer tokenizer = Tokenizer.load(MODEL)) {
            assertEquals(30_000, tokenizer.encode("x ".repeat(15_000)).length);
            List<int[]> batch = tokenizer.encode(List.of("x", "x x x"));
            assertTrue(batch.get(0).length < batch.get(1).length);
        }
    }

    @Test
    void refusesWhatIsNotATokenizer() throws IOException {
        assertThrows(InputException.class, () -> Tokenizer.load(temporary));
        Path file = temporary.resolve("tokenizer.json");
        for (String text :
                List.of("", "[]", "{\"model\":", "{}", "{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0}}}")) {
            Files.writeString(file, text);
            InputException e = assertThrows(InputException.class, () -> Tokenizer.load(temporary), text);
            assertTrue(e.getMessage().startsWith(file.toString()), e.getMessage());
        }
    }
}
