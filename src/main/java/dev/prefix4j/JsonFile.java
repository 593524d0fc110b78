package dev.prefix4j;

import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.json.JsonMapper;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;

/** JSON that a stranger wrote: bounded in size, without duplicate keys, with errors of one line. */
public final class JsonFile {
    private static final int MAX_REASON_CHARACTERS = 160;

    private static final ObjectMapper JSON = JsonMapper.builder()
            .enable(JsonParser.Feature.STRICT_DUPLICATE_DETECTION)
            .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
            .build();

    private JsonFile() {}

    /**
     * Reads a JSON object.
     *
     * @param what the file holds, for the message when it is missing, such as {@code a model configuration}
     * @param maxBytes a larger file is refused unread
     * @throws InputException if the file is missing, too large, or holds anything but one JSON object
     */
    public static JsonNode readObject(Path file, String what, long maxBytes) {
        try {
            if (!Files.isRegularFile(file)) {
                throw new InputException("%s: expected %s, found no such file".formatted(file, what));
            }
            if (Files.size(file) > maxBytes) {
                throw new InputException(
                        "%s: expected at most %d bytes, found %d".formatted(file, maxBytes, Files.size(file)));
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

    /** The error for text that is no JSON, with its line. */
    public static InputException invalid(Path file, JsonProcessingException e) {
        String reason = e.getOriginalMessage().lines().findFirst().orElse("").replaceAll("\\p{Cntrl}", "?");
        return new InputException(
                "%s: line %d: invalid JSON: %s"
                        .formatted(
                                file,
                                e.getLocation() == null ? 1 : e.getLocation().getLineNr(),
                                reason.length() > MAX_REASON_CHARACTERS
                                        ? reason.substring(0, MAX_REASON_CHARACTERS) + "…"
                                        : reason),
                e);
    }
}
