package dev.prefix4j.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.zip.GZIPOutputStream;
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A model folder with a file that is of another kind than its name says: one line that says which, and what to do. */
class OtherKindTest {
    private static final Path MODEL = Path.of("tests/resources/model");
    private static final String PAGE = "<!DOCTYPE html>\n<html><body>Not found</body></html>\n";
    private static final String POINTER = "version https://git-lfs.github.com/spec/v1\n"
            + "oid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\nsize 1234\n";

    private static final String LFS = "a Git LFS pointer, not the file itself: fetch it with 'git lfs pull'";
    private static final String HTML = "an HTML page, perhaps the error page of a download: download the file again";
    private static final String TORCH =
            "a PyTorch file (pickle), which can run code when it is loaded: save it as safetensors,"
                    + " with save_pretrained or safetensors.torch.save_file";

    @TempDir
    Path t;

    private static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.ISO_8859_1);
    }

    private static byte[] zip(String entry) throws IOException {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        try (ZipOutputStream zip = new ZipOutputStream(bytes)) {
            zip.putNextEntry(new ZipEntry(entry));
            zip.write(bytes("content"));
        }
        return bytes.toByteArray();
    }

    private static byte[] gzip(byte[] content) throws IOException {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        try (GZIPOutputStream gzip = new GZIPOutputStream(bytes)) {
            gzip.write(content);
        }
        return bytes.toByteArray();
    }

    private record Case(byte[] content, String found) {}

    private void expect(String file, String expected, Case... cases) throws IOException {
        List<String> names = file.equals("vocab.json") || file.equals("merges.txt")
                ? List.of("config.json", "model.safetensors", "vocab.json", "merges.txt")
                : List.of("config.json", "model.safetensors", "tokenizer.json");
        for (String name : names) {
            Files.copy(MODEL.resolve(name), t.resolve(name));
        }
        for (Case one : cases) {
            Files.write(t.resolve(file), one.content());
            ByteArrayOutputStream err = new ByteArrayOutputStream();
            int code = Main.run(
                    new String[] {"generate", "--model", t.toString(), "--prompt", "a"},
                    new ByteArrayInputStream(new byte[0]),
                    new PrintStream(new ByteArrayOutputStream()),
                    new PrintStream(err, true, StandardCharsets.UTF_8));
            assertEquals(
                    "prefix4j: %s: expected %s, found %s\n".formatted(t.resolve(file), expected, one.found()),
                    err.toString(StandardCharsets.UTF_8));
            assertEquals(1, code);
        }
    }

    @Test
    void weightsThatAreNotSafetensorsAreNamed() throws IOException {
        byte[] weights = Files.readAllBytes(MODEL.resolve("model.safetensors"));
        expect(
                "model.safetensors",
                "a safetensors file",
                new Case(bytes(POINTER), LFS),
                new Case(bytes(PAGE), HTML),
                new Case(zip("archive/data.pkl"), TORCH),
                new Case(bytes("\u0080\2\u008a\nl\u00fc\u009cF\u00f9 j\u00a8P\u0019."), TORCH),
                new Case(
                        bytes("\u0080\4\u0095\27\0\0\0\0\0\0\0}."),
                        "a Python pickle, which can run code when it is loaded: save it as safetensors, or as text"),
                new Case(zip("model.safetensors"), "a zip archive: unpack it and give the file inside"),
                new Case(gzip(weights), "gzip data: unpack it with gunzip"),
                new Case(bytes("GGUF\3\0\0\0"), "a GGUF model"),
                new Case(bytes("\u0089HDF\r\n\32\n"), "an HDF5 file"),
                new Case(bytes("{\"weight_map\": {}}"), "JSON"),
                new Case(bytes("no weights"), "text"),
                new Case(new byte[0], "an empty file"));
    }

    @Test
    void aConfigurationThatIsNotJsonIsNamed() throws IOException {
        expect(
                "config.json",
                "a Hugging Face model configuration in JSON",
                new Case(bytes(POINTER), LFS),
                new Case(bytes(PAGE), HTML),
                new Case(zip("archive/data.pkl"), TORCH),
                new Case(gzip(bytes("{}")), "gzip data: unpack it with gunzip"),
                new Case(bytes("<Error><Code>AccessDenied</Code></Error>"), "XML"),
                new Case(new byte[100], "binary data"));
    }

    @Test
    void aTokenizerThatIsNotJsonIsNamed() throws IOException {
        expect(
                "tokenizer.json",
                "a tokenizer in JSON",
                new Case(bytes(POINTER), LFS),
                new Case(bytes(PAGE), HTML),
                new Case(zip("a"), "a zip archive: unpack it and give the file inside"));
    }

    @Test
    void aPartOfATokenizerThatIsNotJsonIsNamed() throws IOException {
        expect(
                "tokenizer_config.json",
                "a part of a tokenizer in JSON",
                new Case(bytes(POINTER), LFS),
                new Case(bytes(PAGE), HTML));
    }

    @Test
    void aVocabularyThatIsNotJsonIsNamed() throws IOException {
        expect("vocab.json", "a tokenizer in JSON", new Case(bytes(POINTER), LFS), new Case(bytes(PAGE), HTML));
    }

    @Test
    void mergesOfAnotherKindAreNamed() throws IOException {
        expect(
                "merges.txt",
                "the merges of a tokenizer",
                new Case(bytes(POINTER), LFS),
                new Case(bytes(PAGE), HTML),
                new Case(gzip(bytes("a b\n")), "gzip data: unpack it with gunzip"));
    }

    private void expectOf(String command, String expected) throws IOException {
        Files.writeString(t.resolve("good.txt"), "a text\n");
        for (Case one : List.of(
                new Case(bytes(POINTER), LFS),
                new Case(
                        new byte[] {(byte) 0x28, (byte) 0xb5, 0x2f, (byte) 0xfd, 0, 0, 0, 0},
                        "Zstandard data: unpack it with unzstd"),
                new Case(zip("xl/workbook.xml"), "a zip archive: unpack it and give the file inside"),
                new Case(bytes("PAR1 and more"), "Parquet"))) {
            Path file = Files.write(t.resolve("other"), one.content());
            ByteArrayOutputStream err = new ByteArrayOutputStream();
            int code = Main.run(
                    command.replace("FILE", file.toString())
                            .replace("T/", t + "/")
                            .split(" "),
                    new ByteArrayInputStream(new byte[0]),
                    new PrintStream(new ByteArrayOutputStream()),
                    new PrintStream(err, true, StandardCharsets.UTF_8));
            String text = err.toString(StandardCharsets.UTF_8);
            assertEquals(1, code, text);
            assertEquals(1, text.lines().count(), text);
            assertTrue(
                    text.startsWith("prefix4j: %s: expected %s, found ".formatted(file, expected))
                            && text.contains(one.found()),
                    text);
        }
    }

    @Test
    void outputsAndReferencesThatAreNotTextAreNamed() throws IOException {
        expectOf("evaluate --hyps FILE --refs T/good.txt", "lines of text");
        expectOf("evaluate --hyps T/good.txt --refs FILE", "lines of text");
    }

    @Test
    void trainingTextThatIsNotTextIsNamed() throws IOException {
        expectOf("pretrain --data FILE --steps 1 --out T/run --tokenizer tests/resources/model", "text");
        expectOf("score --model tests/resources/model --text FILE", "text");
    }

    @Test
    void plansThatAreNotPlansAreNamed() throws IOException {
        expectOf("sweep FILE --out T/sweep", "a plan in YAML");
    }
}
