package dev.prefix4j.text;

import ai.djl.huggingface.tokenizers.Encoding;
import ai.djl.huggingface.tokenizers.HuggingFaceTokenizer;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.prefix4j.AtomicFile;
import dev.prefix4j.InputException;
import dev.prefix4j.JsonFile;
import dev.prefix4j.ProcessSettings;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;

/**
 * The tokenizer of a model folder: Hugging Face's own (Rust), through DJL. Nothing is added, cut off or padded:
 * {@link #encode} gives the ids of the text and no others.
 *
 * <p>It holds native memory; {@link #close} frees it.
 */
public final class Tokenizer implements AutoCloseable {
    private static final long MAX_FILE_BYTES = 256L << 20;
    private static final int BATCH = 1024;
    private static final ObjectMapper JSON = new ObjectMapper();

    static {
        // DJL reports its use to a server on some machines unless told not to.
        ProcessSettings.setDefault("OPT_OUT_TRACKING", "true");
        ProcessSettings.setDefault("ai.djl.offline", "true");
        // It also tells of the GPU it looked for; a program that set up its log keeps what it set.
        if (System.getProperty("org.slf4j.simpleLogger.defaultLogLevel") == null
                && System.getProperty("org.slf4j.simpleLogger.log.ai.djl") == null) {
            ProcessSettings.setDefault("org.slf4j.simpleLogger.log.ai.djl", "error");
        }
    }

    private final HuggingFaceTokenizer tokenizer;
    private final int vocabularySize;

    private Tokenizer(HuggingFaceTokenizer tokenizer, int vocabularySize) {
        this.tokenizer = tokenizer;
        this.vocabularySize = vocabularySize;
    }

    /**
     * Loads {@code tokenizer.json}, or else {@code vocab.json} and {@code merges.txt} of GPT-2's byte-level BPE.
     *
     * @throws InputException if the files are missing or are no tokenizer
     */
    public static Tokenizer load(Path folder) {
        Path file = folder.resolve("tokenizer.json");
        if (Files.exists(file)) {
            return create(file, parse(file));
        }
        Path vocab = folder.resolve("vocab.json");
        Path merges = folder.resolve("merges.txt");
        if (Files.exists(vocab) && Files.exists(merges)) {
            return create(vocab, byteLevelBpe(vocab, merges));
        }
        throw new InputException(folder + ": expected tokenizer.json, or vocab.json and merges.txt, found neither");
    }

    private static Tokenizer create(Path file, JsonNode json) {
        int size = 0;
        for (JsonNode id : json.path("model").path("vocab")) {
            size = Math.max(size, id.asInt(-1) + 1);
        }
        for (JsonNode token : json.path("added_tokens")) {
            size = Math.max(size, token.path("id").asInt(-1) + 1);
        }
        if (size == 0) {
            throw new InputException(file + ": key 'model.vocab': expected tokens with their ids, found none");
        }
        try {
            return new Tokenizer(
                    HuggingFaceTokenizer.newInstance(
                            new ByteArrayInputStream(JSON.writeValueAsBytes(json)),
                            Map.of("addSpecialTokens", "false", "truncation", "false", "padding", "false")),
                    size);
        } catch (IOException | RuntimeException e) {
            String reason = String.valueOf(e.getMessage()).lines().findFirst().orElse("");
            throw new InputException(file + ": expected a Hugging Face tokenizer, found other JSON: " + reason, e);
        }
    }

    private static JsonNode parse(Path file) {
        return JsonFile.readObject(file, "a tokenizer", MAX_FILE_BYTES);
    }

    /** What {@code tokenizer.json} says for GPT-2: byte-level BPE, no space put before a text. */
    private static JsonNode byteLevelBpe(Path vocab, Path merges) {
        ObjectNode json = JSON.createObjectNode();
        json.put("version", "1.0");
        ObjectNode model = json.putObject("model");
        model.put("type", "BPE");
        model.set("vocab", parse(vocab));
        ArrayNode pairs = model.putArray("merges");
        try {
            int number = 0;
            for (String line : Files.readAllLines(merges)) {
                number++;
                if (line.isEmpty() || number == 1 && line.startsWith("#version")) {
                    continue;
                }
                if (line.split(" ", -1).length != 2) {
                    throw new InputException("%s:%d: expected two tokens with a space between, found '%s'"
                            .formatted(merges, number, line));
                }
                pairs.add(line);
            }
        } catch (IOException e) {
            throw AtomicFile.cannotRead(merges, e);
        }
        for (String part : List.of("pre_tokenizer", "decoder")) {
            json.putObject(part).put("type", "ByteLevel").put("add_prefix_space", false).put("trim_offsets", true);
        }
        String end = "<|endoftext|>";
        JsonNode id = model.path("vocab").path(end);
        if (id.isInt()) {
            json.putArray("added_tokens")
                    .addObject()
                    .put("id", id.intValue())
                    .put("content", end)
                    .put("single_word", false)
                    .put("lstrip", false)
                    .put("rstrip", false)
                    .put("normalized", false)
                    .put("special", true);
        }
        return json;
    }

    /** Ids of a text. */
    public int[] encode(String text) {
        return ints(tokenizer.encode(text, false, false));
    }

    /** Ids of texts, in their order; on several threads. */
    public List<int[]> encode(List<String> texts) {
        List<int[]> ids = new ArrayList<>();
        for (int from = 0; from < texts.size(); from += BATCH) {
            List<String> part = texts.subList(from, Math.min(from + BATCH, texts.size()));
            for (Encoding encoding : tokenizer.batchEncode(part, false, false)) {
                ids.add(ints(encoding));
            }
        }
        return ids;
    }

    private static int[] ints(Encoding encoding) {
        return Arrays.stream(encoding.getIds()).mapToInt(Math::toIntExact).toArray();
    }

    /**
     * The id of a special token.
     *
     * @throws InputException if the text is not one token
     */
    public int id(String token) {
        int[] ids = encode(token);
        if (ids.length != 1) {
            throw new InputException("tokenizer: expected a token '" + token + "', found none");
        }
        return ids[0];
    }

    /** The text of ids; special tokens are left out. */
    public String decode(int[] ids) {
        return tokenizer.decode(Arrays.stream(ids).asLongStream().toArray(), true);
    }

    /** The largest id and one. */
    public int vocabularySize() {
        return vocabularySize;
    }

    @Override
    public void close() {
        tokenizer.close();
    }
}
