package dev.prefix4j.text;

import dev.prefix4j.Excerpt;
import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.StreamReadConstraints;
import com.fasterxml.jackson.core.StreamReadFeature;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** Reads {@link DataFormat#JSONL}. */
final class JsonlReader {
    /** A tree takes some fifty bytes a token. */
    private static final long MAX_TOKENS = 1_000_000;

    private static final ObjectMapper JSON = new ObjectMapper(JsonFactory.builder()
                    .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
                    .streamReadConstraints(StreamReadConstraints.builder()
                            .maxTokenCount(MAX_TOKENS)
                            .build())
                    .build())
            .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS);

    private JsonlReader() {}

    static List<Example> read(Path file, InputStream in, DataOptions options) throws IOException {
        LineSource lines = new LineSource(file, in);
        List<Example> examples = new ArrayList<>();
        for (String line; examples.size() < options.limit() && (line = lines.next()) != null; ) {
            if (line.isBlank()) {
                continue;
            }
            JsonNode json;
            try {
                json = JSON.readTree(line);
            } catch (JsonProcessingException e) {
                throw lines.wrong(
                        "a JSON object", "invalid JSON: " + Excerpt.ofReason(e.getOriginalMessage()));
            }
            if (!json.isObject()) {
                throw lines.wrong("a JSON object", "other JSON");
            }
            List<String> source = texts(lines, json, options.sourceField(), true);
            if (source.isEmpty()) {
                throw lines.wrong(
                        "a field '" + options.sourceField() + "'",
                        json.has(options.sourceField()) ? "a list without text" : "fields " + names(json));
            }
            List<String> targets = texts(lines, json, options.targetField(), false);
            examples.add(new Example(String.join(" ", source), targets, lines.location()));
        }
        return examples;
    }

    /**
     * A string, or a list of strings; empty if the field is absent.
     *
     * @param sentences whether a list is one text, whose empty parts are left out
     */
    private static List<String> texts(LineSource lines, JsonNode json, String field, boolean sentences) {
        JsonNode node = json.get(field);
        if (node == null) {
            return List.of();
        }
        List<String> texts = new ArrayList<>();
        for (JsonNode item : node.isArray() ? node : List.of(node)) {
            if (!item.isTextual()) {
                throw lines.wrong(
                        "a string or a list of strings in field '" + field + "'",
                        item.getNodeType().toString().toLowerCase(java.util.Locale.ROOT));
            }
            if (item.textValue().isBlank()) {
                if (sentences && node.isArray()) {
                    continue; // SciTLDR has an empty sentence
                }
                throw lines.wrong("a text in field '" + field + "'", "an empty one");
            }
            texts.add(item.textValue());
        }
        return texts;
    }

    private static List<String> names(JsonNode json) {
        List<String> names = new ArrayList<>();
        json.fieldNames().forEachRemaining(name -> names.add(Excerpt.of(name)));
        return names.subList(0, Math.min(8, names.size()));
    }
}
