package dev.prefix4j;

import com.fasterxml.jackson.core.JsonLocation;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.exc.StreamConstraintsException;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.json.JsonMapper;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.EnumSet;
import java.util.Locale;
import java.util.Set;

/** Untrusted JSON: bounded in size, without duplicate keys, with one-line errors. */
public final class JsonFile {
    private static final ObjectMapper JSON = JsonMapper.builder()
            .enable(JsonParser.Feature.STRICT_DUPLICATE_DETECTION)
            .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
            .build();

    /** Kinds that are passed on to the parser, whose errors have line and column. */
    private static final Set<FileKind> TEXTS =
            EnumSet.of(FileKind.EMPTY, FileKind.JSON, FileKind.TEXT, FileKind.OTHER_TEXT, FileKind.UTF16);

    private JsonFile() {}

    /**
     * Reads a JSON object.
     *
     * @param what the file holds, for the message when it is missing, such as {@code a model configuration}
     * @param maxBytes a larger file is rejected unread
     * @throws InputException if the file is missing, too large, of another kind, or holds anything but one JSON object
     */
    public static JsonNode readObject(Path file, String what, long maxBytes) {
        try {
            InputFile.require(file, what);
            if (Files.size(file) > maxBytes) {
                throw new InputException(
                        "%s: expected at most %d bytes, found %d".formatted(file, maxBytes, Files.size(file)));
            }
            FileKind kind = FileKind.of(file);
            if (!TEXTS.contains(kind)) {
                throw new InputException("%s: expected %s in JSON, found %s".formatted(file, what, kind.found()));
            }
            JsonNode json = JSON.readTree(file.toFile());
            if (!json.isObject()) {
                throw new InputException("%s: expected a JSON object, found %s"
                        .formatted(
                                file,
                                json.isMissingNode()
                                        ? "nothing"
                                        : json.getNodeType().toString().toLowerCase(Locale.ROOT)));
            }
            return json;
        } catch (JsonProcessingException e) {
            throw invalid(file, e);
        } catch (IOException e) {
            throw AtomicFile.cannotRead(file, e);
        }
    }

    /** The error for text that is not JSON, with its line and column. */
    public static InputException invalid(Path file, JsonProcessingException e) {
        JsonLocation at = e.getLocation();
        return new InputException(
                "%s: line %d: invalid JSON: %s (column %d)"
                        .formatted(file, at == null ? 1 : at.getLineNr(), reason(e), at == null ? 1 : at.getColumnNr()),
                e);
    }

    /** Replaces the parser's message where it exposes internals. */
    public static String reason(JsonProcessingException e) {
        String message = e.getOriginalMessage();
        if (e instanceof StreamConstraintsException) {
            return "nested too deeply, or a name, number or string that is too long";
        }
        if (message.startsWith("Unexpected end-of-input")) {
            return "the end of the file inside an object, list or string";
        }
        if (message.startsWith("Trailing token")) {
            return "more after its end";
        }
        if (message.startsWith("Invalid UTF-8")) {
            return "bytes that are not UTF-8";
        }
        if (message.startsWith("Non-standard token")) { // NaN and Infinity, as Python writes them
            return Excerpt.ofReason(message.replaceFirst("(?s): enable .*", ""));
        }
        if (message.startsWith("Unexpected character") || message.startsWith("Unrecognized token")) {
            return Excerpt.ofReason(message.replaceFirst("(?s) ?\\(code .*|: was expecting.*", ""));
        }
        return Excerpt.ofReason(message.lines().findFirst().orElse(""));
    }
}
