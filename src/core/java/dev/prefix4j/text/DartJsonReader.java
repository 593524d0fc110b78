package dev.prefix4j.text;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.core.StreamReadFeature;
import dev.prefix4j.Excerpt;
import dev.prefix4j.InputException;
import dev.prefix4j.JsonFile;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * Reads the JSON of {@link DataFormat#DART}: a list of entries with {@code tripleset}, a list of lists of three, and
 * {@code annotations}, a list of objects with a {@code text}. Entries are read one by one, unused keys are skipped.
 */
final class DartJsonReader {
    private static final JsonFactory JSON = JsonFactory.builder()
            .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
            .build();

    private final Path file;
    private final JsonParser json;
    private final Layout layout;
    private String location;

    private DartJsonReader(Path file, JsonParser json, Layout layout) {
        this.file = file;
        this.json = json;
        this.layout = layout;
        this.location = file + ":1";
    }

    static List<Example> read(Path file, InputStream in, DataOptions options) throws IOException {
        BoundedStream bounded = new BoundedStream(in, "an entry", DataFile.MAX_ENTRY_BYTES, file.toString());
        try (JsonParser json = JSON.createParser(bounded)) {
            return new DartJsonReader(file, json, options.layout()).entries(bounded, options.limit());
        } catch (JsonProcessingException e) {
            throw JsonFile.invalid(file, e);
        }
    }

    private List<Example> entries(BoundedStream bounded, int limit) throws IOException {
        HeapBudget budget = new HeapBudget();
        List<Example> examples = new ArrayList<>();
        boolean list = json.nextToken() == JsonToken.START_ARRAY; // otherwise concatenated entries
        for (boolean first = true; examples.size() < limit; first = false) {
            JsonToken token = first && !list ? json.currentToken() : json.nextToken();
            if (!list && token == null) {
                break;
            }
            if (list && token == JsonToken.END_ARRAY) {
                location = file + ":" + json.currentTokenLocation().getLineNr();
                if (json.nextToken() != null) {
                    throw wrong("the end of the file after the list");
                }
                break;
            }
            location = file + ":" + json.currentTokenLocation().getLineNr() + ": entry " + (examples.size() + 1);
            bounded.restart(location);
            expect(token, JsonToken.START_OBJECT, "an object");
            examples.add(budget.take(entry()));
        }
        return examples;
    }

    private Example entry() throws IOException {
        List<String> triples = new ArrayList<>();
        List<String> targets = new ArrayList<>();
        for (String key; (key = json.nextFieldName()) != null; ) {
            JsonToken value = json.nextToken();
            switch (key) {
                case "tripleset" -> {
                    expect(value, JsonToken.START_ARRAY, "key 'tripleset': a list of triples");
                    while (json.nextToken() != JsonToken.END_ARRAY) {
                        triples.add(triple());
                    }
                }
                case "annotations" -> {
                    if (value == JsonToken.START_OBJECT) { // by columns, as on the hub
                        targets.addAll(columns());
                        continue;
                    }
                    expect(value, JsonToken.START_ARRAY, "key 'annotations': a list of texts");
                    while (json.nextToken() != JsonToken.END_ARRAY) {
                        String text = text();
                        if (!text.isEmpty()) { // as in the XML of the test set
                            targets.add(text);
                        }
                    }
                }
                default -> json.skipChildren();
            }
        }
        if (triples.isEmpty()) {
            throw new InputException(location + ": key 'tripleset': expected at least one triple, found none");
        }
        return new Example(layout.dartSource(triples), targets, location);
    }

    private String triple() throws IOException {
        String expected = "key 'tripleset': a triple of texts";
        expect(json.currentToken(), JsonToken.START_ARRAY, expected);
        List<String> parts = new ArrayList<>();
        while (json.nextToken() != JsonToken.END_ARRAY) {
            JsonToken part = json.currentToken(); // null at the end of the file
            if (parts.size() == 3 || part == null || !part.isScalarValue() || part == JsonToken.VALUE_NULL) {
                throw wrong(expected);
            }
            parts.add(json.getText());
        }
        if (parts.size() != 3) {
            throw wrong(expected, "a list of " + parts.size());
        }
        return layout.triple(parts, true);
    }

    /** The texts of {@code {"source": […], "text": […]}}. */
    private List<String> columns() throws IOException {
        List<String> texts = null;
        for (String key; (key = json.nextFieldName()) != null; ) {
            JsonToken value = json.nextToken();
            if (!key.equals("text")) {
                json.skipChildren();
                continue;
            }
            expect(value, JsonToken.START_ARRAY, "key 'annotations': a list of strings as 'text'");
            texts = new ArrayList<>();
            while (json.nextToken() != JsonToken.END_ARRAY) {
                expect(json.currentToken(), JsonToken.VALUE_STRING, "key 'annotations': a list of strings as 'text'");
                if (!json.getText().isBlank()) {
                    texts.add(json.getText().strip());
                }
            }
        }
        if (texts == null) {
            throw wrong("key 'annotations': an object with a 'text'", "one without");
        }
        return texts;
    }

    private String text() throws IOException {
        String expected = "key 'annotations': an object with a 'text'";
        expect(json.currentToken(), JsonToken.START_OBJECT, expected);
        String text = null;
        for (String key; (key = json.nextFieldName()) != null; ) {
            JsonToken value = json.nextToken();
            if (key.equals("text")) {
                expect(value, JsonToken.VALUE_STRING, "key 'annotations': a string as 'text'");
                text = json.getText().strip();
            } else {
                json.skipChildren();
            }
        }
        if (text == null) {
            throw wrong(expected, "one without");
        }
        return text;
    }

    private void expect(JsonToken found, JsonToken wanted, String expected) throws IOException {
        if (found != wanted) {
            throw wrong(expected);
        }
    }

    /** The error about the current token. */
    private InputException wrong(String expected) throws IOException {
        JsonToken token = json.currentToken();
        return wrong(expected, token == null ? "the end of the file" : "'" + Excerpt.of(json.getText()) + "'");
    }

    private InputException wrong(String expected, String found) {
        // "key 'k': a list" becomes "key 'k': expected a list".
        int afterKey = expected.startsWith("key ") ? expected.indexOf(": ") + 2 : 0;
        return new InputException("%s: %sexpected %s, found %s"
                .formatted(location, expected.substring(0, afterKey), expected.substring(afterKey), found));
    }
}
