package dev.prefix4j.text;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.prefix4j.InputException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** Reads the JSON of {@link DataFormat#DART}: a list of entries with {@code tripleset} and {@code annotations}. */
final class DartJsonReader {
    private static final JsonFactory JSON = new ObjectMapper().getFactory();

    private DartJsonReader() {}

    static List<Example> read(Path file, InputStream in, int limit) throws IOException {
        List<Example> examples = new ArrayList<>();
        try (JsonParser json = JSON.createParser(in)) {
            if (json.nextToken() != JsonToken.START_ARRAY) {
                throw new InputException(file + ": line 1: expected a JSON list of entries, found other JSON");
            }
            while (examples.size() < limit) {
                JsonToken token = json.nextToken();
                if (token == JsonToken.END_ARRAY) {
                    break;
                }
                String location =
                        file + ":" + json.currentTokenLocation().getLineNr() + ": entry " + (examples.size() + 1);
                if (token != JsonToken.START_OBJECT) {
                    throw new InputException(location + ": expected an object, found "
                            + (token == null ? "the end of the file" : json.getText()));
                }
                examples.add(entry(location, json.<JsonNode>readValueAsTree()));
            }
        } catch (JsonProcessingException e) {
            throw new InputException(
                    "%s: line %d: invalid JSON: %s"
                            .formatted(
                                    file,
                                    e.getLocation() == null ? 1 : e.getLocation().getLineNr(),
                                    e.getOriginalMessage().lines().findFirst().orElse("")),
                    e);
        }
        return examples;
    }

    private static Example entry(String location, JsonNode entry) {
        List<String> triples = new ArrayList<>();
        for (JsonNode triple : entry.path("tripleset")) {
            List<String> parts = new ArrayList<>();
            triple.forEach(part -> parts.add(part.asText()));
            if (!triple.isArray() || parts.size() != 3) {
                throw new InputException(location + ": key 'tripleset': expected triples, found " + brief(triple));
            }
            triples.add(Triples.triple(parts));
        }
        if (triples.isEmpty()) {
            throw new InputException(location + ": key 'tripleset': expected at least one triple, found none");
        }
        List<String> targets = new ArrayList<>();
        for (JsonNode annotation : entry.path("annotations")) {
            String text = annotation.path("text").asText("");
            if (text.isBlank()) {
                throw new InputException(location + ": key 'annotations': expected a text, found " + brief(annotation));
            }
            targets.add(text);
        }
        return new Example(Triples.source(triples), targets, location);
    }

    private static String brief(JsonNode node) {
        String text = node.toString();
        return text.length() > 60 ? text.substring(0, 60) + "…" : text;
    }
}
