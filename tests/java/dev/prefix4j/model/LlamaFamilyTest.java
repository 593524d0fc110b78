package dev.prefix4j.model;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
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
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class LlamaFamilyTest {
    private static final String SMALL =
            "\"hidden_size\": 32, \"num_attention_heads\": 4, \"num_hidden_layers\": 2, \"vocab_size\": 300";

    @TempDir
    Path t;

    private ModelConfig read(String type, String keys) throws IOException {
        Files.writeString(
                t.resolve("config.json"),
                "{\"model_type\": \"%s\", %s%s}".formatted(type, SMALL, keys.isEmpty() ? "" : ", " + keys));
        return Families.read(t);
    }

    private String refused(String type, String keys) {
        String message =
                assertThrows(InputException.class, () -> read(type, keys), keys).getMessage();
        assertTrue(message.startsWith(t.resolve("config.json") + ": "), message);
        assertEquals(1, message.lines().count(), message);
        return message.substring(t.resolve("config.json").toString().length() + 2);
    }

    private float[] frequencies(String keys) throws IOException {
        return read("llama", keys).attention().rotary().orElseThrow().frequencies();
    }

    @Test
    void absentKeysMeanWhatTheyMeanInTransformers() throws IOException {
        ModelConfig llama = read("llama", "");
        assertEquals(4, llama.keyHeads());
        assertEquals(8, llama.headWidth());
        assertEquals(2048, llama.positions());
        assertEquals(11_008, llama.mlp().width());
        assertEquals(1e-6, llama.norm().epsilon());
        assertEquals(1, llama.bos());
        assertEquals(Set.of(2), llama.ends());
        assertTrue(!llama.attention().inputBias() && !llama.tiedHead());
        ModelConfig qwen2 = read("qwen2", "\"num_key_value_heads\": 2");
        assertTrue(qwen2.attention().inputBias() && !qwen2.attention().outputBias());
        ModelConfig qwen3 = read("qwen3", "\"num_key_value_heads\": 2");
        assertTrue(qwen3.attention().normed());
        assertEquals(128, qwen3.headWidth());
    }

    @Test
    void scaledPositionsAreTheSameInEverySpelling() throws IOException {
        float[] plain = frequencies("\"rope_theta\": 500000.0");
        assertArrayEquals(
                plain, frequencies("\"rope_parameters\": {\"rope_type\": \"default\", \"rope_theta\": 500000.0}"));
        assertArrayEquals(plain, frequencies("\"rope_theta\": 500000.0, \"rope_scaling\": null"));
        float[] linear =
                frequencies("\"rope_theta\": 500000.0, \"rope_scaling\": {\"type\": \"linear\", \"factor\": 4.0}");
        for (int i = 0; i < plain.length; i++) {
            assertEquals(plain[i] / 4, linear[i]);
        }
        assertArrayEquals(
                linear,
                frequencies(
                        "\"rope_parameters\": {\"rope_type\": \"linear\", \"factor\": 4.0, \"rope_theta\": 500000.0}"));
        String llama3 = "\"factor\": 8.0, \"low_freq_factor\": 1.0, \"high_freq_factor\": 4.0,"
                + " \"original_max_position_embeddings\": 64";
        float[] scaled = frequencies(
                "\"rope_theta\": 500000.0, \"rope_scaling\": {\"rope_type\": \"llama3\", %s}".formatted(llama3));
        assertEquals(plain[0], scaled[0]); // short waves stay
        assertEquals(plain[3] / 8, scaled[3]); // long ones are eight times as long
        assertArrayEquals(
                scaled,
                frequencies("\"rope_parameters\": {\"rope_type\": \"llama3\", \"rope_theta\": 500000.0, %s}"
                        .formatted(llama3)));
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '~',
            value = {
                "\"rope_scaling\": {\"type\": \"yarn\", \"factor\": 2} | key 'rope_scaling.type': expected default,"
                        + " linear or llama3, found yarn",
                "\"rope_scaling\": {\"rope_type\": \"linear\"} | key 'rope_scaling.factor': expected a number above"
                        + " 0.0, found nothing",
                "\"rope_scaling\": 4 | key 'rope_scaling': expected an object, found 4",
                "\"rope_theta\": 0 | key 'rope_theta': expected a number above 1, found 0.0",
                "\"partial_rotary_factor\": 0.5 | key 'partial_rotary_factor': expected 1, found 0.5",
                "\"head_dim\": 7 | key 'head_dim': expected an even number of at most 65536, found 7",
                "\"head_dim\": 2147483646 | key 'head_dim': expected an even number of at most 65536, found 2147483646",
                "\"num_key_value_heads\": 3 | key heads: expected a multiple of the 3 heads of keys, was 4",
                "\"num_key_value_heads\": 0 | key 'num_key_value_heads': expected an integer of at least 1, found 0",
                "\"hidden_act\": \"xielu\" | key 'hidden_act': expected gelu_new,",
                "\"quantization_config\": {\"bits\": 4} | key 'quantization_config': expected none: weights in"
                        + " float32, float16 or bfloat16, found one"
            })
    void whatIsNotSupportedIsRefusedByName(String keys, String message) {
        String found = refused("llama", keys);
        assertTrue(found.startsWith(message), found);
    }

    @ParameterizedTest
    @ValueSource(strings = {"mixtral", "gemma", "t5", "phi3", "qwen2_moe"})
    void familiesThatAreNotHereAreRefusedWithThoseThatAre(String type) {
        assertEquals(
                "key 'model_type': expected one of gpt2, llama, mistral, qwen2, qwen3, which prefix4j runs, found "
                        + type,
                refused(type, ""));
    }

    @Test
    void aSlidingWindowBoundsThePositions() throws IOException {
        assertEquals(4096, read("mistral", "\"num_key_value_heads\": 2").positions());
        assertEquals(
                100,
                read("mistral", "\"num_key_value_heads\": 2, \"sliding_window\": 100")
                        .positions());
        assertEquals(
                131_072,
                read("mistral", "\"num_key_value_heads\": 2, \"sliding_window\": null")
                        .positions());
        assertEquals(
                32_768,
                read("qwen2", "\"num_key_value_heads\": 2, \"sliding_window\": 100")
                        .positions());
    }
}
