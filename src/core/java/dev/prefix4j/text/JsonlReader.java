package dev.prefix4j.text;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.core.StreamReadFeature;
import com.fasterxml.jackson.core.json.JsonReadFeature;
import dev.prefix4j.Excerpt;
import dev.prefix4j.InputException;
import dev.prefix4j.JsonFile;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.CodingErrorAction;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * Reads {@link DataFormat#JSONL}: concatenated objects, one per line or not, one list of objects, or an
 * object with such a list under {@code data}. Objects are read token by token; unneeded fields are skipped.
 */
final class JsonlReader {
    /** Accepts NaN, which Python writes: not text, but that gives a better message than invalid JSON. */
    static final JsonFactory JSON = JsonFactory.builder()
            .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
            .enable(JsonReadFeature.ALLOW_NON_NUMERIC_NUMBERS)
            .build();

    private static final String ROWS = "data";
    private static final int MAX_NAMES = 8;

    /** Source and target fields of common data sets, to suggest in messages. */
    private static final Map<String, List<String>> KNOWN = new LinkedHashMap<>();

    static {
        KNOWN.put("article", List.of("highlights", "summary", "abstract"));
        KNOWN.put("document", List.of("summary"));
        KNOWN.put("dialogue", List.of("summary"));
        KNOWN.put("input", List.of("output", "target"));
        KNOWN.put("instruction", List.of("output", "response"));
        KNOWN.put("prompt", List.of("completion", "response", "target"));
        KNOWN.put("question", List.of("answer"));
        KNOWN.put("text", List.of("summary", "target", "label"));
        KNOWN.put("src", List.of("tgt"));
        KNOWN.put("source", List.of("target", "summary"));
    }

    private final Path file;
    private final JsonParser json;
    private final BoundedStream bounded;
    private final DataOptions options;
    private final HeapBudget budget = new HeapBudget();
    private final List<Example> examples = new ArrayList<>();

    /** Where the row that was read last begins. */
    private String rowAt;

    /** The texts of a field, or what was found instead. */
    private record Field(
            List<String> texts, boolean list, @Nullable String problem) {}

    private JsonlReader(Path file, JsonParser json, BoundedStream bounded, DataOptions options) {
        this.file = file;
        this.json = json;
        this.bounded = bounded;
        this.options = options;
        this.rowAt = file + ":1";
    }

    static List<Example> read(Path file, InputStream in, DataOptions options) throws IOException {
        BoundedStream bounded = new BoundedStream(in, "an entry", DataFile.MAX_ENTRY_BYTES, file.toString());
        InputStreamReader text = new InputStreamReader(
                bounded,
                StandardCharsets.UTF_8
                        .newDecoder()
                        .onMalformedInput(CodingErrorAction.REPORT)
                        .onUnmappableCharacter(CodingErrorAction.REPORT));
        try (JsonParser json = JSON.createParser(text)) {
            JsonlReader reader = new JsonlReader(file, json, bounded, options);
            try {
                reader.rows();
            } catch (JsonProcessingException e) { // at its own row: a truncated object is noticed only in the next
                throw new InputException(
                        reader.rowAt + ": expected a JSON object, found invalid JSON: " + JsonFile.reason(e), e);
            } catch (CharacterCodingException e) {
                throw new InputException(reader.location() + ": expected UTF-8, found other bytes", e);
            }
            return reader.examples;
        }
    }

    private String location() {
        return file + ":" + json.currentTokenLocation().getLineNr();
    }

    private void rows() throws IOException {
        while (examples.size() < options.limit() && json.nextToken() != null) {
            if (json.currentToken() == JsonToken.START_ARRAY) {
                list();
            } else {
                row(true);
            }
        }
    }

    /** Returns at the end of the list, or at the limit. */
    private void list() throws IOException {
        while (examples.size() < options.limit() && json.nextToken() != JsonToken.END_ARRAY) {
            row(false);
        }
    }

    /** @param root whether it may hold the rows of the file */
    private void row(boolean root) throws IOException {
        String location = location();
        rowAt = location;
        bounded.restart(location);
        if (json.currentToken() != JsonToken.START_OBJECT) {
            throw new InputException(location + ": expected a JSON object, found "
                    + (json.currentToken() == null ? "the end of the file" : "'" + Excerpt.of(json.getText()) + "'"));
        }
        Map<String, Field> fields = new LinkedHashMap<>();
        List<String> names = new ArrayList<>();
        for (String name; (name = json.nextFieldName()) != null; ) {
            JsonToken value = json.nextToken();
            if (names.size() < MAX_NAMES) {
                names.add(name);
            }
            if (isField(name)) {
                fields.put(name, field(value));
            } else if (root && name.equals(ROWS) && value == JsonToken.START_ARRAY && fields.isEmpty()) {
                list();
                if (examples.size() >= options.limit()) {
                    return; // the rest is not read
                }
                root = false;
                names.clear();
            } else {
                json.skipChildren();
            }
        }
        if (json.currentToken() == null) {
            throw new InputException(location + ": expected the end of this object, found the end of the file");
        }
        if (!examples.isEmpty() && names.isEmpty() && fields.isEmpty()) {
            return; // it held the rows
        }
        examples.add(budget.take(example(location, fields, names)));
    }

    private boolean isField(String name) {
        return name.equals(options.sourceField())
                || name.equals(options.targetField())
                || E2eReader.SOURCES.contains(name)
                || E2eReader.TARGETS.contains(name);
    }

    private Field field(@Nullable JsonToken value) throws IOException {
        if (value == JsonToken.VALUE_STRING) {
            return new Field(List.of(json.getText()), false, null);
        }
        if (value != JsonToken.START_ARRAY) {
            String found = value == null ? "nothing" : value.isScalarValue() ? Excerpt.of(json.getText()) : "an object";
            json.skipChildren();
            return new Field(List.of(), false, found);
        }
        List<String> texts = new ArrayList<>();
        String problem = null;
        for (JsonToken item; (item = json.nextToken()) != JsonToken.END_ARRAY && item != null; ) {
            if (item == JsonToken.VALUE_STRING) {
                texts.add(json.getText());
            } else {
                problem = "a list with " + (item.isScalarValue() ? Excerpt.of(json.getText()) : "other JSON in it");
                json.skipChildren();
            }
        }
        return new Field(texts, true, problem);
    }

    private Example example(String location, Map<String, Field> fields, List<String> names) {
        String sourceField = chosen(options.sourceField(), "source", E2eReader.SOURCES, fields);
        String targetField = chosen(options.targetField(), "target", E2eReader.TARGETS, fields);
        if (!fields.containsKey(sourceField)) {
            throw new InputException("%s: expected a field '%s', found fields [%s]%s"
                    .formatted(location, sourceField, names(names), proposal(names)));
        }
        List<String> sentences = texts(location, sourceField, fields.get(sourceField), true);
        if (sentences.isEmpty()) {
            throw new InputException(
                    "%s: expected a field '%s', found a list without text".formatted(location, sourceField));
        }
        String source = String.join(" ", sentences);
        if (E2eReader.SOURCES.contains(sourceField) && options.format().isEmpty()) {
            source = E2eReader.linearize(
                    source, location + ": field '" + sourceField + "' (--format jsonl takes any text)");
        }
        if (!options.targets()) {
            return Example.ofSource(source, location);
        }
        Optional<String> known = KNOWN.getOrDefault(sourceField, List.of()).stream()
                .filter(names::contains)
                .findFirst();
        if (!fields.containsKey(targetField) && known.isPresent()) {
            throw new InputException("%s: expected a field '%s', found fields [%s]: try --target-field %s"
                    .formatted(location, targetField, names(names), known.get()));
        }
        List<String> targets = fields.containsKey(targetField)
                ? texts(location, targetField, fields.get(targetField), false)
                : List.of();
        return new Example(source, targets, location);
    }

    /** The named field; if none was named, E2E's field if the row has it instead. */
    private static String chosen(String option, String usual, List<String> e2e, Map<String, Field> fields) {
        return option.equals(usual) && !fields.containsKey(usual)
                ? e2e.stream().filter(fields::containsKey).findFirst().orElse(option)
                : option;
    }

    /** @param sentences whether a list is one text, whose empty parts are skipped */
    private static List<String> texts(String location, String name, Field field, boolean sentences) {
        if (field.problem() != null) {
            throw new InputException("%s: expected a string or a list of strings in field '%s', found %s"
                    .formatted(location, name, field.problem()));
        }
        List<String> texts = new ArrayList<>();
        for (String text : field.texts()) {
            if (!text.isBlank()) {
                texts.add(text);
            } else if (!sentences || !field.list()) { // SciTLDR has an empty sentence
                throw new InputException(
                        "%s: expected a text in field '%s', found an empty one".formatted(location, name));
            }
        }
        return texts;
    }

    private static String names(List<String> names) {
        return String.join(", ", names.stream().map(Excerpt::of).toList());
    }

    private static String proposal(List<String> names) {
        for (var pair : KNOWN.entrySet()) {
            Optional<String> target =
                    pair.getValue().stream().filter(names::contains).findFirst();
            if (names.contains(pair.getKey())) {
                return ": try --source-field " + pair.getKey()
                        + target.map(t -> " --target-field " + t).orElse("");
            }
        }
        return " (--source-field and --target-field name others)";
    }
}
