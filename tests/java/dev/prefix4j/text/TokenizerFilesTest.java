package dev.prefix4j.text;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.prefix4j.InputException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Ids as Transformers 5.18's AutoTokenizer gives them for the same folders; and hostile folders. */
class TokenizerFilesTest {
    private static final Path MODEL = Path.of("tests/resources/model");

    @TempDir
    Path t;

    private void copy(String... names) throws IOException {
        for (String name : names) {
            Files.copy(MODEL.resolve(name), t.resolve(name));
        }
    }

    private void write(String name, String json) throws IOException {
        Files.writeString(t.resolve(name), json);
    }

    private void expect(int[]... ids) {
        List<String> texts = List.of("hi<|sep|>x", " [PAD]q", "Blue");
        try (Tokenizer tokenizer = Tokenizer.load(t)) {
            for (int i = 0; i < ids.length; i++) {
                assertArrayEquals(ids[i], tokenizer.encode(texts.get(i)), texts.get(i));
            }
        }
    }

    private static int[] of(int... ids) {
        return ids;
    }

    @Test
    void prefixSpaceOfTheConfigurationCountsBesideTokenizerJson() throws IOException {
        copy("tokenizer.json");
        write("tokenizer_config.json", "{\"add_prefix_space\": true, \"tokenizer_class\": \"GPT2Tokenizer\"}");
        expect(of(221, 72, 73, 28, 92, 278, 80, 92, 30, 88), of(221, 59, 48, 33, 36, 61, 81), of(221, 294, 85, 69));
    }

    @Test
    void prefixSpaceIsNotReadForAnotherTokenizerClass() throws IOException {
        copy("tokenizer.json");
        write(
                "tokenizer_config.json",
                "{\"add_prefix_space\": true, \"tokenizer_class\": \"PreTrainedTokenizerFast\"}");
        expect(of(72, 73, 28, 92, 278, 80, 92, 30, 88), of(221, 59, 48, 33, 36, 61, 81), of(294, 85, 69));
    }

    @Test
    void tokensOfTheDecoderTakeTheNextFreeIds() throws IOException {
        copy("tokenizer.json");
        write(
                "tokenizer_config.json",
                "{\"added_tokens_decoder\": {\"305\": {\"content\": \"<|sep|>\", \"special\": true}}}");
        expect(of(72, 73, 300, 88), of(221, 59, 48, 33, 36, 61, 81));
    }

    @Test
    void namedTokensComeBeforeAdditionalOnes() throws IOException {
        copy("tokenizer.json");
        write("special_tokens_map.json", "{\"pad_token\": \"[PAD]\", \"additional_special_tokens\": [\"<|sep|>\"]}");
        expect(of(72, 73, 301, 88), of(221, 300, 81));
    }

    @Test
    void addedTokensNextToAVocabularyAreWhole() throws IOException {
        copy("vocab.json", "merges.txt");
        write("added_tokens.json", "{\"<|sep|>\": 300}");
        write("tokenizer_config.json", "{\"add_prefix_space\": true, \"tokenizer_class\": \"GPT2Tokenizer\"}");
        expect(of(221, 72, 73, 300, 221, 88), of(221, 59, 48, 33, 36, 61, 81), of(221, 294, 85, 69));
    }

    @Test
    void bosNextToAVocabularyComesBeforeTheText() throws IOException {
        copy("vocab.json", "merges.txt");
        write("tokenizer_config.json", "{\"add_bos_token\": true, \"bos_token\": \"<|sep|>\"}");
        try (Tokenizer tokenizer = Tokenizer.load(t)) {
            assertArrayEquals(of(300, 294, 85, 69), tokenizer.begin(tokenizer.encode("Blue")));
        }
    }

    @Test
    void whatWouldAddTokensAfterEveryTextIsRefused() throws IOException {
        copy("vocab.json", "merges.txt");
        write("tokenizer_config.json", "{\"add_eos_token\": true}");
        InputException e = assertThrows(InputException.class, () -> Tokenizer.load(t));
        assertTrue(e.getMessage().contains("key 'add_eos_token': expected false"), e.getMessage());
    }

    private void template(String postProcessor) throws IOException {
        write(
                "tokenizer.json",
                "{\"model\": {\"type\": \"BPE\", \"vocab\": {\"a\": 0, \"b\": 1}, \"merges\": []},"
                        + " \"post_processor\": " + postProcessor + "}");
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '~',
            value = {
                "{\"type\": \"TemplateProcessing\", \"single\": [{\"SpecialToken\": {\"id\": \"b\"}}, {\"Sequence\":"
                        + " {}}]} | key 'post_processor.special_tokens': expected the ids of b, found nothing",
                "{\"type\": \"TemplateProcessing\", \"single\": [{\"SpecialToken\": {\"id\": \"b\"}}, {\"Sequence\":"
                        + " {}}], \"special_tokens\": {\"b\": {\"ids\": [-1]}}} | key 'post_processor': expected an id"
                        + " between 0 and 16777216 of b, found -1",
                "{\"type\": \"Sequence\", \"processors\": [{\"type\": \"Sequence\"}]}"
                        + " | key 'post_processor.processors': expected none that is a Sequence, found one"
            })
    void malformedTemplatesAreRefusedByTheirKeys(String postProcessor, String message) throws IOException {
        template(postProcessor);
        InputException e = assertThrows(InputException.class, () -> Tokenizer.load(t));
        assertEquals(t.resolve("tokenizer.json") + ": " + message, e.getMessage());
    }

    @Test
    void aTemplateWithATokenThatTheModelLacksIsRefused() throws IOException {
        template("{\"type\": \"TemplateProcessing\", \"single\": [{\"SpecialToken\": {\"id\": \"b\"}},"
                + " {\"Sequence\": {}}, {\"SpecialToken\": {\"id\": \"a\"}}],"
                + " \"special_tokens\": {\"b\": {\"ids\": [1]}, \"a\": {\"ids\": [0]}}}");
        try (Tokenizer tokenizer = Tokenizer.load(t)) {
            tokenizer.requireBelow(2);
            assertArrayEquals(of(1, 0, 1), tokenizer.begin(tokenizer.encode("ab"))); // nothing after the text
            InputException e = assertThrows(InputException.class, () -> tokenizer.requireBelow(1));
            assertTrue(e.getMessage().startsWith("tokenizer: before a text: token 'b' has id 1"), e.getMessage());
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"llama", "llama3", "qwen"})
    void idsAreThoseOfTransformers(String name) throws IOException {
        Path folder = Path.of("tests/resources/tokenizers").resolve(name);
        JsonNode expected =
                new ObjectMapper().readTree(folder.resolve("expected.json").toFile());
        try (Tokenizer tokenizer = Tokenizer.load(folder)) {
            for (JsonNode one : expected) {
                String text = one.path("text").asText();
                int[] ids = new int[one.path("ids").size()];
                Arrays.setAll(ids, i -> one.path("ids").get(i).intValue());
                assertArrayEquals(ids, tokenizer.begin(tokenizer.encode(text)), text);
                assertEquals(one.path("decoded").asText(), tokenizer.decode(ids), text);
            }
            Sequence sequence = Sequences.encode(List.of(new Example("a b", List.of("c"), "f:1")), tokenizer, 1, 2)
                    .getFirst();
            int[] source = tokenizer.encode("a b");
            int before = tokenizer.beginningLength();
            assertEquals(name.equals("qwen") ? 0 : 1, before);
            int[] begun = tokenizer.begin(source);
            assertArrayEquals(begun, Arrays.copyOf(sequence.ids(), begun.length));
            assertEquals(before + source.length + 1, sequence.sourceLength());
            assertArrayEquals(
                    tokenizer.encode(" c"),
                    Arrays.copyOfRange(sequence.ids(), sequence.sourceLength(), sequence.ids().length - 1));
        }
    }

    @Test
    void aTokenThatTheModelLacksIsRefusedWhereATextHasIt() throws IOException {
        copy("tokenizer.json");
        write("tokenizer_config.json", "{\"pad_token\": \"[PAD]\"}");
        try (Tokenizer tokenizer = Tokenizer.load(t)) {
            tokenizer.requireBelow(300);
            assertEquals(3, tokenizer.encode("Blue").length);
            InputException e = assertThrows(
                    InputException.class, () -> tokenizer.encode(List.of("a", "b [PAD]"), i -> "rows.csv:" + (i + 1)));
            assertTrue(
                    e.getMessage().startsWith("rows.csv:2: token '[PAD]' has id 300, which the model"), e.getMessage());
        }
    }

    /** Fragments that replace the tokenizer's pre-tokenizer, normalizer or decoder. */
    private static final List<String> HOSTILE = List.of(
            "\"pre_tokenizer\": " + split("(a+)+b"),
            "\"pre_tokenizer\": " + split("(a|a)*b"),
            "\"pre_tokenizer\": " + split("(?:a?){60}{60}{60}b"),
            "\"pre_tokenizer\": " + split("a+a+b"),
            "\"pre_tokenizer\": " + split("a*a*a*a*b"),
            "\"pre_tokenizer\": " + split("(a)\\\\1+b"),
            "\"pre_tokenizer\": " + split("a{100000}"),
            "\"pre_tokenizer\": " + split("(".repeat(500) + "a" + ")".repeat(500)),
            "\"pre_tokenizer\": " + split("[[[[[[[[a]]]]]]]]"),
            "\"pre_tokenizer\": " + split("[a"),
            "\"pre_tokenizer\": " + split("a".repeat(5000)),
            "\"pre_tokenizer\": {\"type\": \"FixedLength\", \"length\": 0}",
            "\"normalizer\": {\"type\": \"Precompiled\", \"precompiled_charsmap\": \"AAAA\"}",
            "\"normalizer\": {\"type\": \"Replace\", \"pattern\": {\"String\": \"a\"}, \"content\": \""
                    + "a".repeat(1000) + "\"}",
            "\"normalizer\": {\"type\": \"Replace\", \"pattern\": {\"String\": \"\"}, \"content\": \"a\"}",
            "\"normalizer\": {\"type\": \"Sequence\", \"normalizers\": ["
                    + "{\"type\": \"Replace\", \"pattern\": {\"String\": \"a\"}, \"content\": \"aa\"},".repeat(40)
                    + "{\"type\": \"NFC\"}]}",
            "\"decoder\": {\"type\": \"Strip\", \"content\": \"a\", \"start\": 0, \"stop\": 1000000}",
            "\"added_tokens\": [{\"id\": 4294967295, \"content\": \"x\"}]",
            "\"model\": {\"type\": \"Unigram\", \"unk_id\": 9, \"vocab\": {\"a\": 0}}",
            "\"model\": {\"type\": \"BPE\", \"vocab\": {\"a\": 0, \"b\": 1, \"ab\": 2}, \"merges\": [\"a b\"],"
                    + " \"continuing_subword_prefix\": \"####\"}");

    private static String split(String pattern) {
        return "{\"type\": \"Split\", \"pattern\": {\"Regex\": \"" + pattern
                + "\"}, \"behavior\": \"Isolated\", \"invert\": false}";
    }

    /** A process that must survive: prints a line for each folder, and what it said. */
    public static void main(String[] folders) {
        for (String folder : folders) {
            try (Tokenizer tokenizer = Tokenizer.load(Path.of(folder))) {
                tokenizer.decode(tokenizer.encode("a".repeat(20_000)));
                System.out.println("ACCEPTED " + folder);
            } catch (InputException e) {
                System.out.println("REFUSED " + e.getMessage());
            }
        }
    }

    @Test
    void aProcessSurvivesHostileTokenizers() throws IOException, InterruptedException {
        String[] command = new String[HOSTILE.size() + 5];
        command[0] = Path.of(System.getProperty("java.home"), "bin", "java").toString();
        command[1] = "-cp";
        command[2] = System.getProperty("java.class.path");
        command[3] = "--enable-native-access=ALL-UNNAMED";
        command[4] = TokenizerFilesTest.class.getName();
        for (int i = 0; i < HOSTILE.size(); i++) {
            Path folder = Files.createDirectory(t.resolve("h" + i));
            String part = HOSTILE.get(i);
            String model = part.startsWith("\"model\"")
                    ? ""
                    : "\"model\": {\"type\": \"BPE\", \"vocab\": {\"a\": 0}, \"merges\": []}, ";
            Files.writeString(folder.resolve("tokenizer.json"), "{\"version\": \"1.0\", " + model + part + "}");
            command[i + 5] = folder.toString();
        }
        Path log = t.resolve("out.txt");
        Process process = new ProcessBuilder(command)
                .redirectOutput(log.toFile())
                .redirectError(ProcessBuilder.Redirect.DISCARD)
                .start();
        boolean ended = process.waitFor(120, TimeUnit.SECONDS);
        process.destroyForcibly();
        String text = Files.readString(log);
        assertTrue(ended, text);
        assertEquals(0, process.exitValue(), text);
        assertEquals(
                HOSTILE.size(),
                text.lines().filter(line -> line.startsWith("REFUSED ")).count(),
                text);
    }

    @Test
    void patternsOfRealTokenizersAreAccepted() {
        for (String pattern : List.of(
                "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+",
                "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r"
                        + "\\n"
                        + "\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r"
                        + "\\n"
                        + "]*|\\s*[\\r"
                        + "\\n"
                        + "]+|\\s+(?!\\S)|\\s+",
                "[^\\r"
                    + "\\n"
                    + "\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]*[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\\p{N}{1,3}",
                "\\s?[A-Za-z]+|\\s+$|[一-龥]+")) {
            TokenizerBounds.RegexBounds.require(Path.of("tokenizer.json"), "pre_tokenizer", pattern);
        }
    }
}
