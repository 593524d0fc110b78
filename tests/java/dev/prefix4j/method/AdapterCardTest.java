package dev.prefix4j.method;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.dataformat.yaml.YAMLMapper;
import dev.prefix4j.model.Activation;
import dev.prefix4j.model.ModelConfig;
import dev.prefix4j.model.ModelConfig.Tokens;
import dev.prefix4j.model.gpt2.Gpt2Family;
import dev.prefix4j.prefix.PrefixEncoder.Reparametrization;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class AdapterCardTest {
    private static final ModelConfig SMALL = Gpt2Family.config(
            12, 12, 768, 1024, 50257, 3072, Activation.GELU_TANH, 1e-5, true, false, true, Tokens.of(0, 0));
    private static final Method PREFIX = new PrefixTuning(new Vectors(10, Reparametrization.MLP, 512));

    @TempDir
    Path folder;

    private String card(Method method, String base) throws IOException {
        AdapterCard.write(method, SMALL, folder, base);
        return Files.readString(folder.resolve("README.md"));
    }

    private static JsonNode metadata(String card) throws IOException {
        String[] parts = card.split("(?m)^---$", 3);
        assertEquals("", parts[0], "the metadata come first");
        return new YAMLMapper().readTree(parts[1]);
    }

    @ParameterizedTest
    @ValueSource(strings = {"gpt2", "owner/name", "/models/my \"own\" model: 3 # new\n--- x", "{a: b}", "'", "no"})
    void metadataAreReadBackWhateverTheBaseIsCalled(String base) throws IOException {
        JsonNode found = metadata(card(PREFIX, base));
        assertEquals(base, found.get("base_model").textValue());
        assertEquals("peft", found.get("library_name").textValue());
        assertEquals("base_model:adapter:" + base, found.get("tags").get(0).textValue());
    }

    @Test
    void saysWhatTheAdapterIs() throws IOException {
        assertTrue(card(PREFIX, "gpt2")
                .contains("Method `prefix`: 184,320 parameters, for use with the 124,439,808 of the model"));
    }

    @Test
    void whatPeftDoesNotKnowIsNotOfItsLibrary() throws IOException {
        String card = card(new AdapterTuning(4), "gpt2");
        assertEquals("prefix4j", metadata(card).get("library_name").textValue());
        assertTrue(!card.contains("PEFT"), card);
    }

    @Test
    void cardThatWasEditedStays() throws IOException {
        Files.writeString(folder.resolve("README.md"), "mine");
        assertEquals("mine", card(PREFIX, "gpt2"));
    }
}
