package dev.prefix4j.text;

import ai.djl.huggingface.tokenizers.Encoding;
import ai.djl.huggingface.tokenizers.HuggingFaceTokenizer;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.prefix4j.AtomicFile;
import dev.prefix4j.Excerpt;
import dev.prefix4j.FileKind;
import dev.prefix4j.InputException;
import dev.prefix4j.InputFile;
import dev.prefix4j.JsonFile;
import dev.prefix4j.ProcessSettings;
import java.io.BufferedReader;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.IntFunction;
import java.util.function.Supplier;

/**
 * The tokenizer of a model folder: Hugging Face's own (Rust), through DJL. Nothing is added, cut off or padded:
 * {@link #encode} gives the ids of the text and no others. What the tokenizer would put before a text, {@link #begin} puts there.
 *
 * <p>It holds native memory; {@link #close} frees it.
 */
public final class Tokenizer implements AutoCloseable {
    private static final long MAX_FILE_BYTES = 256L << 20;
    private static final int BATCH = 1024;
    private static final int BATCH_CHARACTERS = 1 << 20;
    private static final int MAX_CHARACTERS = 8 << 20;
    private static final ObjectMapper JSON = new ObjectMapper();

    static {
        // DJL reports usage to a server on some machines unless told not to.
        ProcessSettings.setDefault("OPT_OUT_TRACKING", "true");
        ProcessSettings.setDefault("ai.djl.offline", "true");
        // It also logs its search for a GPU; a program that configured its logging keeps its configuration.
        if (System.getProperty("org.slf4j.simpleLogger.defaultLogLevel") == null
                && System.getProperty("org.slf4j.simpleLogger.log.ai.djl") == null) {
            ProcessSettings.setDefault("org.slf4j.simpleLogger.log.ai.djl", "error");
        }
    }

    private final HuggingFaceTokenizer tokenizer;
    private final Watched watched;
    private final Map<Integer, String> tokens;
    private final int vocabularySize;
    private final int[] beginning;
    private int known = Integer.MAX_VALUE;

    private Tokenizer(
            HuggingFaceTokenizer tokenizer,
            Watched watched,
            Map<Integer, String> tokens,
            int vocabularySize,
            int... beginning) {
        this.tokenizer = tokenizer;
        this.watched = watched;
        this.tokens = tokens;
        this.vocabularySize = vocabularySize;
        this.beginning = beginning;
    }

    /**
     * Copies the files of a tokenizer to another folder unchanged.
     *
     * @param to exists
     * @throws InputException if a file cannot be read or written
     */
    public static void copyFiles(Path from, Path to) {
        TokenizerFiles.copy(from, to);
    }

    /**
     * Loads {@code tokenizer.json}, or else {@code vocab.json} and {@code merges.txt} of GPT-2's byte-level BPE.
     *
     * @throws InputException if the files are missing or are not a tokenizer
     */
    public static Tokenizer load(Path folder) {
        Path file = folder.resolve("tokenizer.json");
        if (Files.exists(file)) {
            return create(folder, file, parse(file));
        }
        Path vocab = folder.resolve("vocab.json");
        Path merges = folder.resolve("merges.txt");
        if (Files.exists(vocab) && Files.exists(merges)) {
            return create(folder, vocab, byteLevelBpe(vocab, merges));
        }
        throw new InputException(folder + ": expected tokenizer.json, or vocab.json and merges.txt, found neither");
    }

    private static Tokenizer create(Path folder, Path file, ObjectNode json) {
        if (!json.path("model").path("vocab").isObject()
                || json.path("model").path("vocab").isEmpty()) {
            throw new InputException(file + ": key 'model.vocab': expected tokens with their ids, found none");
        }
        int[] beginning = TokenizerFiles.complete(folder, json, file.endsWith("vocab.json"));
        TokenizerBounds.require(file, json);
        Map<Integer, String> tokens = new HashMap<>();
        json.path("model")
                .path("vocab")
                .properties()
                .forEach(token -> tokens.put(token.getValue().intValue(), token.getKey()));
        json.path("added_tokens")
                .forEach(token -> tokens.put(
                        token.path("id").intValue(), token.path("content").asText()));
        int size = tokens.keySet().stream().mapToInt(id -> id + 1).max().orElseThrow();
        Watched watched = new Watched();
        HuggingFaceTokenizer tokenizer = watched.call(file.toString(), () -> {
            try {
                return HuggingFaceTokenizer.newInstance(
                        new ByteArrayInputStream(JSON.writeValueAsBytes(json)),
                        Map.of("addSpecialTokens", "false", "truncation", "false", "padding", "false"));
            } catch (IOException | RuntimeException e) {
                String reason =
                        String.valueOf(e.getMessage()).lines().findFirst().orElse("");
                throw new IllegalArgumentException("expected a Hugging Face tokenizer, found other JSON: " + reason, e);
            }
        });
        return new Tokenizer(tokenizer, watched, tokens, size, beginning);
    }

    private static ObjectNode parse(Path file) {
        return (ObjectNode) JsonFile.readObject(file, "a tokenizer", MAX_FILE_BYTES);
    }

    /** The content of GPT-2's {@code tokenizer.json}: byte-level BPE, no space added before a text. */
    private static ObjectNode byteLevelBpe(Path vocab, Path merges) {
        ObjectNode json = JSON.createObjectNode();
        json.put("version", "1.0");
        ObjectNode model = json.putObject("model");
        model.put("type", "BPE");
        model.set("vocab", parse(vocab));
        ArrayNode pairs = model.putArray("merges");
        InputFile.require(merges, "the merges of a tokenizer");
        FileKind kind = FileKind.of(merges);
        if (!kind.isText()
                || kind == FileKind.LFS_POINTER
                || kind == FileKind.HTML) { // these may also have lines of two words
            throw new InputException(
                    "%s: expected the merges of a tokenizer, found %s".formatted(merges, kind.found()));
        }
        try (BufferedReader lines = Files.newBufferedReader(merges)) {
            if (Files.size(merges) > MAX_FILE_BYTES) {
                throw new InputException("%s: expected at most %d bytes, found %d"
                        .formatted(merges, MAX_FILE_BYTES, Files.size(merges)));
            }
            int number = 0;
            for (String line = lines.readLine(); line != null; line = lines.readLine()) {
                number++;
                if (line.isEmpty() || (number == 1 && line.startsWith("#version"))) {
                    continue;
                }
                if (line.split(" ", -1).length != 2) {
                    throw new InputException("%s:%d: expected two tokens separated by a space, found '%s'"
                            .formatted(merges, number, Excerpt.of(line)));
                }
                pairs.add(line);
            }
        } catch (IOException e) {
            throw AtomicFile.cannotRead(merges, e);
        }
        for (String part : List.of("pre_tokenizer", "decoder")) {
            json.putObject(part)
                    .put("type", "ByteLevel")
                    .put("add_prefix_space", false)
                    .put("trim_offsets", true);
        }
        return json;
    }

    /**
     * From now on, ids outside the model's vocabulary are an error: those of tokens that were added only to the tokenizer.
     *
     * @param vocabulary number of tokens that the model knows
     * @throws InputException if the tokenizer puts such a token before a text
     */
    public void requireBelow(int vocabulary) {
        this.known = vocabulary;
        requireKnown(beginning, () -> "tokenizer: before a text");
    }

    /**
     * What a sequence begins with, if a text does: the text's ids behind those that the tokenizer itself puts there, such as BOS. Most
     * tokenizers put none.
     */
    public int[] begin(int... ids) {
        int[] begun = Arrays.copyOf(beginning, beginning.length + ids.length);
        System.arraycopy(ids, 0, begun, beginning.length, ids.length);
        return begun;
    }

    /** How many ids {@link #begin} puts before a text. */
    public int beginningLength() {
        return beginning.length;
    }

    /**
     * Ids of a text.
     *
     * @throws InputException if the model does not know one of them, or the tokenizer takes too long
     */
    public int[] encode(String text) {
        requireShort(text);
        int[] ids = watched.call(describe(List.of(text)), () -> ints(tokenizer.encode(text, false, false)));
        requireKnown(ids, () -> "'" + Excerpt.of(text) + "'");
        return ids;
    }

    /** Ids of texts, in order; uses several threads. */
    public List<int[]> encode(List<String> texts) {
        return encode(texts, i -> "'" + Excerpt.of(texts.get(i)) + "'");
    }

    /**
     * Ids of texts, in order; uses several threads.
     *
     * @param location of a text, for messages, such as {@code data.csv:3}
     * @throws InputException if the model does not know one of them, or the tokenizer takes too long
     */
    public List<int[]> encode(List<String> texts, IntFunction<String> location) {
        List<int[]> ids = new ArrayList<>();
        for (int from = 0; from < texts.size(); ) {
            int to = from;
            for (long characters = 0;
                    to < texts.size() && to < from + BATCH && (to == from || characters < BATCH_CHARACTERS);
                    to++) {
                requireShort(texts.get(to));
                characters += texts.get(to).length();
            }
            List<String> part = texts.subList(from, to);
            for (int[] one : watched.call(
                    describe(part),
                    () -> Arrays.stream(tokenizer.batchEncode(part, false, false))
                            .map(Tokenizer::ints)
                            .toList())) {
                int at = ids.size();
                requireKnown(one, () -> location.apply(at));
                ids.add(one);
            }
            from = to;
        }
        return ids;
    }

    private static void requireShort(String text) {
        if (text.length() > MAX_CHARACTERS) {
            throw new InputException("tokenizer: expected a text of at most %d characters, found %d: '%s'"
                    .formatted(MAX_CHARACTERS, text.length(), Excerpt.of(text)));
        }
    }

    private static String describe(List<String> texts) {
        return "%s '%s'"
                .formatted(texts.size() == 1 ? "text" : texts.size() + " texts from", Excerpt.of(texts.getFirst()));
    }

    private void requireKnown(int[] ids, Supplier<String> location) {
        for (int id : ids) {
            if (id >= known) {
                throw new InputException(
                        "%s: token '%s' has id %d, which the model does not know: its vocabulary has %d tokens (resize its embeddings, or remove the token)"
                                .formatted(location.get(), Excerpt.of(tokens.getOrDefault(id, "?")), id, known));
            }
        }
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

    /** The text of ids, without special tokens. */
    public String decode(int[] ids) {
        return watched.call(
                "%d ids".formatted(ids.length),
                () -> tokenizer.decode(Arrays.stream(ids).asLongStream().toArray(), true));
    }

    /** The largest id plus one. */
    public int vocabularySize() {
        return vocabularySize;
    }

    @Override
    public void close() {
        if (!watched.isStuck()) { // a call that is still running uses its memory
            tokenizer.close();
        }
    }
}
