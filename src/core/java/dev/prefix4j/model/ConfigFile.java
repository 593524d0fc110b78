package dev.prefix4j.model;

import com.fasterxml.jackson.databind.JsonNode;
import dev.prefix4j.Excerpt;
import dev.prefix4j.InputException;
import dev.prefix4j.JsonFile;
import java.nio.file.Path;

/**
 * An untrusted JSON object with typed access to its keys: errors name the file, the key, what was expected
 * and what was found. An absent key, or null, takes a default, as in Transformers.
 *
 * @param file that was read
 * @param within keys that lead to this object, such as {@code rope_scaling.}; empty: the whole file
 * @param json its content, an object
 */
public record ConfigFile(Path file, String within, JsonNode json) {
    /** Larger files are not configurations. */
    private static final long MAX_BYTES = 4 << 20;

    /**
     * Reads a file.
     *
     * @param what the file holds, for the message when it is missing, such as {@code a model configuration}
     * @throws InputException if it is missing, too large, or not a JSON object
     */
    public static ConfigFile read(Path file, String what) {
        return new ConfigFile(file, "", JsonFile.readObject(file, what, MAX_BYTES));
    }

    public boolean has(String key) {
        return !isAbsent(json.get(key));
    }

    /**
     * The object under a key.
     *
     * @throws InputException if it is not an object
     */
    public ConfigFile object(String key) {
        JsonNode node = json.get(key);
        if (node == null || !node.isObject()) {
            throw wrong(key, "an object", node);
        }
        return new ConfigFile(file, within + key + '.', node);
    }

    /** @throws InputException if it is not an integer, or below 1 */
    public int positive(String key, int absent) {
        int value = integer(key, absent);
        if (value < 1) {
            throw wrong(key, "an integer of at least 1", value);
        }
        return value;
    }

    public int integer(String key, int absent) {
        return has(key) ? integer(key) : absent;
    }

    /** @throws InputException if the key is absent or not an integer */
    public int integer(String key) {
        JsonNode node = json.get(key);
        if (isAbsent(node) || !node.isIntegralNumber() || !node.canConvertToInt()) {
            throw wrong(key, "an integer", node);
        }
        return node.intValue();
    }

    public double number(String key, double absent) {
        JsonNode node = json.get(key);
        if (isAbsent(node)) {
            return absent;
        }
        if (!node.isNumber() || !Double.isFinite(node.doubleValue())) {
            throw wrong(key, "a number", node);
        }
        return node.doubleValue();
    }

    public boolean flag(String key, boolean absent) {
        JsonNode node = json.get(key);
        if (isAbsent(node)) {
            return absent;
        }
        if (!node.isBoolean()) {
            throw wrong(key, "true or false", node);
        }
        return node.booleanValue();
    }

    public String text(String key, String absent) {
        JsonNode node = json.get(key);
        if (isAbsent(node)) {
            return absent;
        }
        if (!node.isTextual()) {
            throw wrong(key, "a string", node);
        }
        return node.textValue();
    }

    private static boolean isAbsent(JsonNode node) {
        return node == null || node.isNull();
    }

    /** The error for an invalid value. */
    public InputException wrong(String key, String expected, Object found) {
        String text = found == null ? "nothing" : Excerpt.of(found.toString());
        return new InputException("%s: key '%s': expected %s, found %s".formatted(file, within + key, expected, text));
    }
}
