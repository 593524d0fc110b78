package dev.prefix4j.model;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import dev.prefix4j.JsonFile;
import java.nio.file.Files;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/** Ids of special tokens from the tokenizer's files, for a configuration that does not specify them. */
final class SpecialTokens {
    /** GPT-2's only special token, by default used in every role. */
    private static final String DEFAULT = "<|endoftext|>";

    private static final long MAX_TOKENIZER_BYTES = 256L << 20;

    private SpecialTokens() {}

    /**
     * @param key {@code bos_token} or {@code eos_token}
     * @return {@link ModelConfig#NONE} if the tokenizer has no such token, or its id is outside the model's vocabulary
     */
    static int id(Path folder, String key, int vocabulary) {
        String token = content(read(folder, "tokenizer_config.json").get(key));
        if (token == null) {
            token = content(read(folder, "special_tokens_map.json").get(key));
        }
        int id = find(folder, token == null ? DEFAULT : token);
        return id >= 0 && id < vocabulary ? id : ModelConfig.NONE;
    }

    private static int find(Path folder, String token) {
        JsonNode tokenizer = read(folder, "tokenizer.json");
        for (JsonNode added : tokenizer.path("added_tokens")) {
            if (token.equals(content(added))) {
                return added.path("id").asInt(ModelConfig.NONE);
            }
        }
        for (var added : read(folder, "tokenizer_config.json")
                .path("added_tokens_decoder")
                .properties()) {
            if (token.equals(content(added.getValue())) && added.getKey().matches("[0-9]{1,9}")) {
                return Integer.parseInt(added.getKey());
            }
        }
        for (JsonNode vocabulary : new JsonNode[] {
            read(folder, "added_tokens.json"), tokenizer.path("model").path("vocab"), read(folder, "vocab.json")
        }) {
            if (vocabulary.path(token).canConvertToInt()) {
                return vocabulary.path(token).asInt(ModelConfig.NONE);
            }
        }
        return ModelConfig.NONE;
    }

    /** The text of a token that is a string, or an object with {@code content}. */
    private static @Nullable String content(@Nullable JsonNode token) {
        return token == null ? null : token.isObject() ? token.path("content").textValue() : token.textValue();
    }

    private static JsonNode read(Path folder, String name) {
        Path file = folder.resolve(name);
        return Files.exists(file)
                ? JsonFile.readObject(file, "a part of a tokenizer", MAX_TOKENIZER_BYTES)
                : JsonNodeFactory.instance.objectNode();
    }
}
