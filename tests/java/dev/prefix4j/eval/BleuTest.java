package dev.prefix4j.eval;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.prefix4j.InputException;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

class BleuTest {
    static Stream<Arguments> cases() throws IOException {
        List<Arguments> cases = new ArrayList<>();
        for (JsonNode node : new ObjectMapper()
                .readTree(Path.of("tests/resources/eval/bleu.json").toFile())) {
            cases.add(Arguments.of(
                    "%s, %s, %s, %s"
                            .formatted(
                                    node.path("name").asText(),
                                    node.path("tokenize").asText(),
                                    node.path("smooth").asText(),
                                    node.path("lowercase").asBoolean() ? "lower case" : "as it is"),
                    node));
        }
        return cases.stream();
    }

    private static List<String> texts(JsonNode list) {
        List<String> texts = new ArrayList<>();
        list.forEach(node -> texts.add(node.asText()));
        return texts;
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("cases")
    void equalsSacreBleu(String name, JsonNode expected) {
        Bleu.Smoothing smoothing = switch (expected.path("smooth").asText()) {
            case "exp" -> Bleu.Smoothing.EXP;
            case "floor" -> Bleu.Smoothing.FLOOR;
            case "add-k" -> Bleu.Smoothing.ADD_K;
            default -> Bleu.Smoothing.NONE;
        };
        List<List<String>> references = new ArrayList<>();
        expected.path("refs").forEach(segment -> references.add(texts(segment)));
        BleuScore score = new Bleu(
                        BleuTokenizer.parse(expected.path("tokenize").asText()),
                        smoothing,
                        expected.path("lowercase").asBoolean())
                .corpus(texts(expected.path("hyps")), references);
        assertEquals(expected.path("score").asDouble(), score.score(), 1e-9);
        for (int n = 0; n < 4; n++) {
            assertEquals(
                    expected.path("precisions").get(n).asDouble(),
                    score.precisions().get(n),
                    1e-9);
        }
        assertEquals(expected.path("bp").asDouble(), score.brevityPenalty(), 1e-12);
        assertEquals(expected.path("sys_len").asLong(), score.hypothesisLength());
        assertEquals(expected.path("ref_len").asLong(), score.referenceLength());
        assertEquals(expected.path("format").asText(), score.toString());
    }

    @Test
    void refusesCorporaThatDoNotMatch() {
        assertThrows(InputException.class, () -> Bleu.DEFAULT.corpus(List.of("a"), List.of()));
        assertThrows(InputException.class, () -> Bleu.DEFAULT.corpus(List.of(), List.of()));
        assertThrows(InputException.class, () -> Bleu.DEFAULT.corpus(List.of("a"), List.of(List.of())));
    }
}
