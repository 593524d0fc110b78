package dev.prefix4j.text;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.prefix4j.AtomicFile;
import dev.prefix4j.Excerpt;
import dev.prefix4j.InputException;
import dev.prefix4j.InputFile;
import dev.prefix4j.JsonFile;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/**
 * Combines the tokenizer files of a model folder into one {@code tokenizer.json}, as Transformers 5's
 * {@code AutoTokenizer} does for GPT-2:
 *
 * <ul>
 *   <li>{@code tokenizer.json}, or else {@code vocab.json} and {@code merges.txt} of a byte-level BPE
 *   <li>{@code add_prefix_space} of {@code tokenizer_config.json}
 *   <li>added tokens: those of {@code tokenizer.json}; {@code added_tokens_decoder} of {@code tokenizer_config.json}, or
 *       else {@code added_tokens.json}; then the named special tokens and the additional ones. A token of the vocabulary
 *       keeps its id, another gets the next free one, whatever number the file gives it
 *   <li>what is put before a text: {@link PostProcessor}; beside {@code vocab.json}, the BOS where {@code add_bos_token} says so
 * </ul>
 *
 * <p>With a {@code tokenizer_class} that is not GPT-2's, only {@code tokenizer.json} determines how a text is split. Any other setting that
 * would change ids is rejected by name.
 */
final class TokenizerFiles {
    private static final long MAX_CONFIG_BYTES = 16 << 20;

    /** All files from which Transformers may read a tokenizer. */
    private static final List<String> NAMES = List.of(
            "tokenizer.json",
            "vocab.json",
            "merges.txt",
            "tokenizer_config.json",
            "special_tokens_map.json",
            "added_tokens.json",
            "chat_template.jinja");

    private static final String DEFAULT = "<|endoftext|>";
    private static final List<String> NAMED =
            List.of("bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token");
    private static final List<String> OF_GPT2 = List.of("bos_token", "eos_token", "unk_token");

    private final Path folder;
    private final Path configFile;
    private final JsonNode config;
    private final JsonNode special;

    /** Copies a folder's tokenizer files; nothing else is read. */
    static void copy(Path from, Path to) {
        for (String name : NAMES) {
            Path file = from.resolve(name);
            if (Files.exists(file)) {
                AtomicFile.write(to.resolve(name), out -> {
                    try (InputStream in = InputFile.open(file, "a file of a tokenizer")) {
                        in.transferTo(out);
                    }
                });
            }
        }
    }

    private TokenizerFiles(Path folder) {
        this.folder = folder;
        this.configFile = folder.resolve("tokenizer_config.json");
        this.config = read("tokenizer_config.json");
        this.special = config.has("added_tokens_decoder")
                ? JsonNodeFactory.instance.objectNode()
                : read("special_tokens_map.json");
    }

    /**
     * Adds the settings of the other files to a tokenizer.
     *
     * @param json {@code tokenizer.json}, or what it would be; changed
     * @param fromVocabulary whether it was made of {@code vocab.json} and {@code merges.txt}
     * @return ids of the tokens that are put before a text
     * @throws InputException if a key would change ids in a way that is not supported
     */
    static int[] complete(Path folder, ObjectNode json, boolean fromVocabulary) {
        TokenizerFiles files = new TokenizerFiles(folder);
        boolean gpt2 = fromVocabulary
                || files.config.path("tokenizer_class").asText("GPT2Tokenizer").startsWith("GPT2");
        files.requireFalse("split_special_tokens");
        if (fromVocabulary) { // beside tokenizer.json Transformers drops them
            files.requireFalse("add_eos_token");
        }
        if (gpt2) {
            files.prefixSpace(json);
        }
        files.addTokens(json, gpt2);
        int[] before = fromVocabulary
                ? files.beginning(json)
                : PostProcessor.before(folder.resolve("tokenizer.json"), json.path("post_processor"));
        // The library is to add, cut off and fill up nothing; what would do so is not even given to it.
        json.putNull("post_processor");
        json.putNull("truncation");
        json.putNull("padding");
        return before;
    }

    /** Of a tokenizer that was made of a vocabulary: BOS, where that is wanted. */
    private int[] beginning(ObjectNode json) {
        if (!config.path("add_bos_token").asBoolean(false)) {
            return new int[0];
        }
        String bos = content(special.hasNonNull("bos_token") ? special.get("bos_token") : config.path("bos_token"));
        for (JsonNode token : json.path("added_tokens")) {
            if (token.path("content").asText().equals(bos.isEmpty() ? DEFAULT : bos)) {
                return new int[] {token.path("id").intValue()};
            }
        }
        return new int[0];
    }

    private JsonNode read(String name) {
        Path file = folder.resolve(name);
        return Files.exists(file)
                ? JsonFile.readObject(file, "a part of a tokenizer", MAX_CONFIG_BYTES)
                : JsonNodeFactory.instance.objectNode();
    }

    private void requireFalse(String key) {
        if (config.path(key).asBoolean(false)) {
            throw new InputException(configFile + ": key '" + key + "': expected false, the only value that prefix4j"
                    + " supports, found true: it adds no token behind a text and splits none");
        }
    }

    private void prefixSpace(ObjectNode json) {
        JsonNode wanted = config.get("add_prefix_space");
        JsonNode own = json.path("pre_tokenizer");
        if (wanted == null || !wanted.isBoolean()) {
            return;
        }
        if (own.path("type").asText().equals("ByteLevel")) {
            ((ObjectNode) own).put("add_prefix_space", wanted.booleanValue());
        } else if (wanted.booleanValue()) {
            throw new InputException(configFile + ": key 'add_prefix_space': expected a pre_tokenizer of type ByteLevel"
                    + " in tokenizer.json with it, found "
                    + Excerpt.of(own.path("type").asText("none")));
        }
    }

    private void addTokens(ObjectNode json, boolean gpt2) {
        Map<String, ObjectNode> tokens = new LinkedHashMap<>();
        JsonNode vocabulary = json.path("model").path("vocab");
        int next = 0;
        for (JsonNode id : vocabulary) {
            next = Math.max(next, id.asInt(-1) + 1);
        }
        for (JsonNode token : json.path("added_tokens")) {
            if (token instanceof ObjectNode object) {
                tokens.put(object.path("content").asText(), object);
                next = Math.max(next, object.path("id").asInt(-1) + 1);
            }
        }
        for (ObjectNode token : declared()) {
            next = add(tokens, token, vocabulary, next);
        }
        for (String key : NAMED) {
            JsonNode token = special.hasNonNull(key) ? special.get(key) : config.get(key);
            if (token == null && gpt2 && OF_GPT2.contains(key)) {
                token = JsonNodeFactory.instance.textNode(DEFAULT);
            }
            if (token != null && !token.isNull()) {
                next = add(tokens, token(token, true), vocabulary, next);
            }
        }
        for (String key : List.of("additional_special_tokens", "extra_special_tokens")) {
            for (JsonNode list : List.of(config.path(key), special.path(key))) {
                for (JsonNode token : list) {
                    next = add(tokens, token(token, true), vocabulary, next);
                }
            }
        }
        ArrayNode all = JsonNodeFactory.instance.arrayNode();
        tokens.values().forEach(all::add);
        json.set("added_tokens", all);
    }

    private static int add(Map<String, ObjectNode> tokens, ObjectNode token, JsonNode vocabulary, int next) {
        String content = token.path("content").asText();
        if (content.isEmpty() || tokens.containsKey(content)) {
            return next;
        }
        JsonNode known = vocabulary.path(content);
        token.put("id", known.isInt() ? known.intValue() : next);
        tokens.put(content, token);
        return known.isInt() ? next : next + 1;
    }

    /** From {@code added_tokens_decoder}, or else from {@code added_tokens.json}, by the ids in the files. */
    private Iterable<ObjectNode> declared() {
        Map<Integer, ObjectNode> byId = new TreeMap<>();
        JsonNode decoder = config.get("added_tokens_decoder");
        if (decoder != null) {
            for (var entry : decoder.properties()) {
                byId.put(id(configFile, "added_tokens_decoder", entry.getKey()), token(entry.getValue(), false));
            }
            return byId.values();
        }
        for (var entry : read("added_tokens.json").properties()) {
            JsonNode content = JsonNodeFactory.instance.textNode(entry.getKey());
            byId.put(
                    id(
                            folder.resolve("added_tokens.json"),
                            entry.getKey(),
                            entry.getValue().asText()),
                    token(content, isSpecial(entry.getKey())));
        }
        return byId.values();
    }

    private static int id(Path file, String key, String id) {
        if (!id.matches("[0-9]{1,8}")) {
            throw new InputException("%s: key '%s': expected the id of a token, found '%s'"
                    .formatted(file, Excerpt.of(key), Excerpt.of(id)));
        }
        return Integer.parseInt(id);
    }

    private boolean isSpecial(String content) {
        for (JsonNode source : List.of(config, special)) {
            for (String key : NAMED) {
                if (content(source.path(key)).equals(content)) {
                    return true;
                }
            }
            for (JsonNode token : source.path("extra_special_tokens")) {
                if (content(token).equals(content)) {
                    return true;
                }
            }
        }
        return false;
    }

    private static String content(JsonNode token) {
        return token.isObject() ? token.path("content").asText() : token.asText();
    }

    /** A token as in {@code tokenizer.json}, without its id. */
    private static ObjectNode token(JsonNode token, boolean special) {
        boolean own = token.path("special").asBoolean(special);
        ObjectNode node = JsonNodeFactory.instance.objectNode().put("content", content(token));
        for (String flag : List.of("single_word", "lstrip", "rstrip")) {
            node.put(flag, token.path(flag).asBoolean(false));
        }
        return node.put("normalized", token.path("normalized").asBoolean(!own)).put("special", own);
    }
}
