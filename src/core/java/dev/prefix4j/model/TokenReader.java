package dev.prefix4j.model;

import com.fasterxml.jackson.databind.JsonNode;
import dev.prefix4j.model.ModelConfig.Tokens;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;

/**
 * Reads the special tokens of a model folder. As in Transformers, an id outside the vocabulary is not an error: it never occurs in an output.
 *
 * <ul>
 *   <li>{@code bos}, {@code eos}: {@code bos_token_id} and {@code eos_token_id} of {@code config.json} (for a list, the
 *       first id that is in the vocabulary), or else the tokenizer's {@code bos_token} and {@code eos_token}
 *   <li>{@code ends}: {@code eos_token_id} of {@code generation_config.json} if the file exists, as in Transformers'
 *       {@code generate}, or else that of {@code config.json}
 * </ul>
 */
public final class TokenReader {
    /** The largest plausible number of end tokens. */
    private static final int MAX_ENDS = 256;

    private final Path folder;

    TokenReader(Path folder) {
        this.folder = folder;
    }

    /**
     * Reads the tokens.
     *
     * @param file {@code config.json} of the folder
     * @param bos the family's default if {@code bos_token_id} is absent: an id, or none
     * @param eos likewise for {@code eos_token_id}
     */
    public Tokens read(ConfigFile file, int vocabulary, Set<Integer> bos, Set<Integer> eos) {
        Set<Integer> named = ids(file, "eos_token_id", vocabulary, eos);
        int begin = ids(file, "bos_token_id", vocabulary, bos).stream()
                .findFirst()
                .orElseGet(() -> SpecialTokens.id(folder, "bos_token", vocabulary));
        int end = named.stream().findFirst().orElseGet(() -> SpecialTokens.id(folder, "eos_token", vocabulary));
        Path generation = folder.resolve("generation_config.json");
        Set<Integer> ends = Files.exists(generation)
                ? ids(ConfigFile.read(generation, "a generation configuration"), "eos_token_id", vocabulary, Set.of())
                : named;
        return new Tokens(begin, end, ends);
    }

    /** Ids of a key that is an integer, a list of them, or null; without those outside the vocabulary. */
    private static Set<Integer> ids(ConfigFile file, String key, int vocabulary, Set<Integer> absent) {
        JsonNode value = file.json().get(key);
        Set<Integer> ids = new LinkedHashSet<>();
        if (value == null) {
            ids.addAll(absent);
        } else if (!value.isNull()) {
            if (value.size() > MAX_ENDS) {
                throw file.wrong(key, "at most " + MAX_ENDS + " ids", value.size() + " of them");
            }
            for (JsonNode id : value.isArray() ? value : List.of(value)) {
                if (!id.isIntegralNumber()) {
                    throw file.wrong(key, "an integer, a list of integers or null", value);
                }
                ids.add(id.canConvertToInt() ? id.intValue() : ModelConfig.NONE);
            }
        }
        ids.removeIf(id -> id < 0 || id >= vocabulary);
        return ids;
    }
}
