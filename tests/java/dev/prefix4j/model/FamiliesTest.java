package dev.prefix4j.model;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.prefix4j.InputException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class FamiliesTest {
    @TempDir
    Path t;

    private ModelConfig read(String keys) throws IOException {
        Files.writeString(t.resolve("config.json"), "{\"model_type\": \"gpt2\", " + keys + "}");
        return Families.read(t);
    }

    private String refused(String key, String value) {
        String message = assertThrows(
                        InputException.class, () -> read("\"%s\": %s".formatted(key, value)), key + ": " + value)
                .getMessage();
        assertTrue(message.startsWith(t.resolve("config.json") + ": "), message);
        assertEquals(1, message.lines().count(), message);
        assertTrue(message.length() < t.toString().length() + 200, message);
        assertTrue(
                !message.contains("Jackson") && !message.contains("JsonReadFeature") && !message.contains("Exception"),
                message);
        return message;
    }

    @ParameterizedTest
    @ValueSource(strings = {"n_layer", "n_head", "n_embd", "n_positions", "n_ctx", "vocab_size", "n_inner"})
    void numbersThatAreNotASizeAreRefusedByKey(String key) {
        for (String value : new String[] {
            "1e1000000000",
            "9223372036854775808",
            "-9223372036854775809",
            "2147483648",
            "1.5",
            "[]",
            "[1]",
            "{}",
            "\"1\"",
            "true"
        }) {
            String message = refused(key, value);
            assertTrue(message.contains("key '" + key + "': expected an integer, found "), message);
        }
        for (String value : new String[] {"-1", "0", "2147483647"}) {
            String message = refused(key, value);
            assertTrue(message.endsWith(" must be between 1 and 16777216, was " + value), message);
        }
        for (String value : new String[] {"NaN", "-Infinity", "7".repeat(2000)}) {
            assertTrue(refused(key, value).contains("line 1: invalid JSON: "));
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"1e1000000000", "-1e1000000000", "[1e-5]", "\"1e-5\"", "true"})
    void epsilonMustBeANumber(String value) {
        String message = refused("layer_norm_epsilon", value);
        assertTrue(message.contains("key 'layer_norm_epsilon': expected a number, found "), message);
    }

    @ParameterizedTest
    @ValueSource(strings = {"-1", "0", "1", "9223372036854775808"})
    void epsilonLiesBetweenZeroAndOne(String value) {
        String message = refused("layer_norm_epsilon", value);
        assertTrue(message.contains("key layer_norm_epsilon must be between 0 and 1, was "), message);
    }

    @Test
    void nullTakesTheDefault() throws IOException {
        ModelConfig config = read("\"n_layer\": null, \"n_inner\": null, \"layer_norm_epsilon\": null");
        assertEquals(12, config.layers());
        assertEquals(4 * 768, config.mlp().width());
        assertEquals(1e-5, config.norm().epsilon());
    }

    @Test
    void endTokensMayBeNullAListOrOutsideTheVocabulary() throws IOException {
        assertEquals(Set.of(50256), read("\"n_layer\": 1").ends());
        assertEquals(Set.of(), read("\"eos_token_id\": null").ends());
        assertEquals(
                Set.of(3, 7), read("\"eos_token_id\": [7, 3, 7, 99999, -1]").ends());
        assertEquals(7, read("\"eos_token_id\": [99999, 7, 3]").eos());
        assertEquals(Set.of(), read("\"eos_token_id\": 99999").ends());
        assertEquals(Set.of(), read("\"eos_token_id\": 9223372036854775808").ends());
        assertThrows(InputException.class, () -> read("\"eos_token_id\": null").eos());
        for (String value :
                new String[] {"1.5", "\"7\"", "[7, \"8\"]", "[[7]]", "true", "{\"a\": 7}", "1e1000000000"}) {
            String message = refused("eos_token_id", value);
            assertTrue(
                    message.contains("key 'eos_token_id': expected an integer, a list of integers or null, found "),
                    message);
        }
    }

    @Test
    void endTokensOfTheGenerationConfigurationAreWhatEndsATextAlone() throws IOException {
        Files.writeString(t.resolve("generation_config.json"), "{\"eos_token_id\": [5, 6]}");
        ModelConfig config = read("\"eos_token_id\": 7");
        assertEquals(Set.of(5, 6), config.ends());
        assertEquals(7, config.eos());
        assertEquals(Set.of(5, 6, 7), config.endsOfTargets());
    }
}
