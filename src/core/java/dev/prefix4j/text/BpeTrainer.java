package dev.prefix4j.text;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.prefix4j.AtomicFile;
import dev.prefix4j.InputException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.PriorityQueue;
import java.util.Set;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * Learns a byte-level BPE vocabulary like GPT-2's (Sennrich et al. 2016, arXiv:1508.07909; Radford et al. 2019) and
 * writes {@code tokenizer.json}. The merges are those of Hugging Face's {@code BpeTrainer} with the byte-level alphabet
 * and the special token {@code <|endoftext|>} = 0: the most frequent pair first; among equally frequent pairs, the one with the lower
 * ids.
 */
public final class BpeTrainer {
    /** The special token and the bytes. */
    public static final int SMALLEST = 257;

    private static final String END = Documents.SEPARATOR;
    private static final ObjectMapper JSON = new ObjectMapper();

    /** GPT-2's pattern that splits text into words; merges happen within a word. */
    private static final Pattern WORD = Pattern.compile(
            "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+",
            Pattern.UNICODE_CHARACTER_CLASS);

    /** Tokens of bytes 0 to 255: printable ones stand for themselves, the others for characters from U+0100 on. */
    private static final char[] ALPHABET = alphabet();

    private final Map<String, Long> counts = new HashMap<>();

    private static char[] alphabet() {
        char[] alphabet = new char[256];
        char next = 0x100;
        for (int b = 0; b < 256; b++) {
            boolean printable = (b >= '!' && b <= '~') || (b >= 0xa1 && b <= 0xac) || b >= 0xae;
            alphabet[b] = printable ? (char) b : next++;
        }
        return alphabet;
    }

    /** Counts the words of a text. */
    public void add(String text) {
        Matcher matcher = WORD.matcher(text);
        while (matcher.find()) {
            counts.merge(matcher.group(), 1L, Long::sum);
        }
    }

    /** A word as token ids, with its frequency. */
    private static final class Word {
        int[] ids;
        final long count;

        Word(int[] ids, long count) {
            this.ids = ids;
            this.count = count;
        }
    }

    /** Two adjacent tokens with their count at the time they were queued. */
    private record Pair(int left, int right, long count) implements Comparable<Pair> {
        static long key(int left, int right) {
            return (long) left << 32 | right;
        }

        @Override
        public int compareTo(Pair other) {
            int byCount = Long.compare(other.count, count);
            return byCount != 0 ? byCount : Long.compare(key(left, right), key(other.left, other.right));
        }
    }

    /**
     * Learns the merges and writes the tokenizer.
     *
     * @param size tokens, at least {@value #SMALLEST}
     * @throws InputException if the text does not have enough pairs to merge, or the file cannot be written
     */
    public void write(Path file, int size) {
        if (size < SMALLEST) {
            throw new InputException("vocab-size must be at least %d, was %d".formatted(SMALLEST, size));
        }
        List<String> vocabulary = new ArrayList<>(size);
        vocabulary.add(END);
        char[] sorted = ALPHABET.clone();
        Arrays.sort(sorted);
        Map<Character, Integer> ids = new HashMap<>();
        for (char c : sorted) {
            ids.put(c, vocabulary.size());
            vocabulary.add(String.valueOf(c));
        }
        List<String> merges = merge(words(ids), vocabulary, size);
        AtomicFile.write(file, json(vocabulary, merges).toPrettyString());
    }

    private List<Word> words(Map<Character, Integer> ids) {
        List<Word> words = new ArrayList<>();
        // A fixed order, so that equal texts give equal files.
        new TreeMap<>(counts).forEach((text, count) -> {
            byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
            int[] word = new int[bytes.length];
            for (int i = 0; i < bytes.length; i++) {
                word[i] = Objects.requireNonNull(ids.get(ALPHABET[bytes[i] & 0xff]), "every byte has an id");
            }
            words.add(new Word(word, count));
        });
        return words;
    }

    /** Merges until the vocabulary is full, adding each new token to it. */
    private static List<String> merge(List<Word> words, List<String> vocabulary, int size) {
        Map<Long, Long> pairCounts = new HashMap<>();
        Map<Long, Set<Integer>> places = new HashMap<>(); // words that may contain a pair
        for (int w = 0; w < words.size(); w++) {
            count(words.get(w), w, 1, pairCounts, places, null);
        }
        PriorityQueue<Pair> queue = new PriorityQueue<>();
        pairCounts.forEach((key, count) -> queue.add(new Pair((int) (key >> 32), (int) (long) key, count)));
        List<String> merges = new ArrayList<>();
        Map<String, Integer> known = new HashMap<>();
        for (int i = 0; i < vocabulary.size(); i++) {
            known.put(vocabulary.get(i), i);
        }
        while (vocabulary.size() < size) {
            Pair best = queue.poll();
            if (best == null) {
                throw new InputException("vocab-size: expected at most %d for so little text, found %d"
                        .formatted(vocabulary.size(), size));
            }
            long key = Pair.key(best.left(), best.right());
            long count = pairCounts.getOrDefault(key, 0L);
            if (count != best.count()) {
                if (count > 0) {
                    queue.add(new Pair(best.left(), best.right(), count));
                }
                continue;
            }
            String left = vocabulary.get(best.left());
            String right = vocabulary.get(best.right());
            merges.add(left + ' ' + right);
            Integer id = known.get(left + right); // two pairs may give the same token
            if (id == null) {
                id = vocabulary.size();
                vocabulary.add(left + right);
                known.put(left + right, id);
            }
            Set<Long> touched = new HashSet<>();
            for (int w : Objects.requireNonNull(places.remove(key), "a pair that is counted has places")) {
                Word word = words.get(w);
                count(word, w, -1, pairCounts, places, null);
                word.ids = join(word.ids, best.left(), best.right(), id);
                count(word, w, 1, pairCounts, places, touched);
            }
            pairCounts.remove(key);
            for (long pair : touched) {
                Long now = pairCounts.get(pair);
                if (now != null && now > 0) {
                    queue.add(new Pair((int) (pair >> 32), (int) pair, now));
                }
            }
        }
        return merges;
    }

    private static void count(
            Word word,
            int index,
            int sign,
            Map<Long, Long> pairCounts,
            Map<Long, Set<Integer>> places,
            @Nullable Set<Long> touched) {
        for (int i = 0; i + 1 < word.ids.length; i++) {
            long key = Pair.key(word.ids[i], word.ids[i + 1]);
            pairCounts.merge(key, sign * word.count, Long::sum);
            if (sign > 0) {
                places.computeIfAbsent(key, _ -> new HashSet<>()).add(index);
                if (touched != null) {
                    touched.add(key);
                }
            }
        }
    }

    private static int[] join(int[] ids, int left, int right, int id) {
        int[] joined = new int[ids.length];
        int n = 0;
        for (int i = 0; i < ids.length; i++) {
            boolean pair = i + 1 < ids.length && ids[i] == left && ids[i + 1] == right;
            joined[n++] = pair ? id : ids[i];
            i += pair ? 1 : 0;
        }
        return Arrays.copyOf(joined, n);
    }

    private static ObjectNode json(List<String> vocabulary, List<String> merges) {
        ObjectNode json = JSON.createObjectNode();
        json.put("version", "1.0").putNull("truncation").putNull("padding");
        ObjectNode end = json.putArray("added_tokens").addObject();
        end.put("id", 0).put("content", END);
        for (String flag : List.of("single_word", "lstrip", "rstrip", "normalized")) {
            end.put(flag, false);
        }
        end.put("special", true);
        json.putNull("normalizer");
        for (String part : List.of("pre_tokenizer", "decoder")) {
            json.putObject(part)
                    .put("type", "ByteLevel")
                    .put("add_prefix_space", false)
                    .put("trim_offsets", true)
                    .put("use_regex", true);
        }
        json.putNull("post_processor");
        ObjectNode model = json.putObject("model");
        model.put("type", "BPE").putNull("dropout").putNull("unk_token");
        model.putNull("continuing_subword_prefix").putNull("end_of_word_suffix");
        model.put("fuse_unk", false).put("byte_fallback", false).put("ignore_merges", false);
        ObjectNode ids = model.putObject("vocab");
        for (int i = 0; i < vocabulary.size(); i++) {
            ids.put(vocabulary.get(i), i);
        }
        ArrayNode pairs = model.putArray("merges");
        for (String merge : merges) {
            ArrayNode pair = pairs.addArray();
            int space = merge.indexOf(' ');
            pair.add(merge.substring(0, space)).add(merge.substring(space + 1));
        }
        return json;
    }
}
