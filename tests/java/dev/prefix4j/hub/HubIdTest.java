package dev.prefix4j.hub;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class HubIdTest {
    @ParameterizedTest
    @ValueSource(strings = {"gpt2", "gpt2-medium", "openai-community/gpt2", "a/b_c.d-1@v1.0", "gpt2@refs/pr/7", "o/_n"})
    void namesOfModelsAreRead(String text) {
        assertEquals(Optional.of(text), HubId.parse(text).map(HubId::toString));
    }

    @Test
    void revisionThatIsMeantAnywayIsLeftOut() {
        assertEquals("gpt2", new HubId("gpt2", HubId.parse("gpt2").orElseThrow().revision()).toString());
        assertEquals("gpt2", HubId.parse("gpt2@main").orElseThrow().toString());
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                ".",
                "..",
                "/gpt2",
                "./gpt2",
                "../gpt2",
                "~/gpt2",
                "~",
                "a/b/c",
                "a\\b",
                "C:\\gpt2",
                "a b",
                "a//b",
                "a/",
                "a/../b",
                "a--b",
                "a..b",
                "-a",
                "a-",
                "a.git",
                "é",
                "gpt2@",
                "gpt2@../x",
                "gpt2@a//b",
                "gpt2@/a",
                "gpt2@.a",
                "gpt2@a@b",
                "builtin:tiny",
                "gpt2\n"
            })
    void pathsAndOtherTextsAreNone(String text) {
        assertEquals(Optional.empty(), HubId.parse(text));
    }
}
