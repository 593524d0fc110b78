package dev.prefix4j.text;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.prefix4j.InputException;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.zip.GZIPOutputStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.tukaani.xz.LZMA2Options;
import org.tukaani.xz.XZOutputStream;

class DocumentsTest {
    private static final String TEXT = "First line.\nSecond.\n<|endoftext|>\n\n<|endoftext|>\nOther — text\n";

    @TempDir
    Path folder;

    private static List<String> read(Path file) {
        List<String> documents = new ArrayList<>();
        Documents.read(file, documents::add);
        return documents;
    }

    private Path xz(byte[] bytes) throws IOException {
        Path file = folder.resolve("text.txt.xz");
        try (OutputStream out = new XZOutputStream(Files.newOutputStream(file), new LZMA2Options(1))) {
            out.write(bytes);
        }
        return file;
    }

    @Test
    void documentsAreSeparatedByALineAndEmptyOnesLeftOut() throws IOException {
        List<String> expected = List.of("First line.\nSecond.", "Other — text");
        assertEquals(expected, read(Files.writeString(folder.resolve("a.txt"), TEXT)));
        Path gz = folder.resolve("a.gz");
        try (OutputStream out = new GZIPOutputStream(Files.newOutputStream(gz))) {
            out.write(TEXT.getBytes(StandardCharsets.UTF_8));
        }
        assertEquals(expected, read(gz));
        assertEquals(expected, read(xz(TEXT.getBytes(StandardCharsets.UTF_8))));
    }

    @Test
    void aLongDocumentComesInParts() throws IOException {
        String line = "word ".repeat(50_000) + "\n";
        List<String> documents = read(Files.writeString(folder.resolve("long.txt"), line.repeat(10)));
        assertTrue(documents.size() > 1);
        assertEquals(
                500_000,
                documents.stream().mapToInt(d -> d.split("\\s+").length).sum());
    }

    @Test
    void damageIsSaid() throws IOException {
        Path file =
                xz("some text that is long enough to be cut off\n".repeat(500).getBytes(StandardCharsets.UTF_8));
        byte[] bytes = Files.readAllBytes(file);
        Files.write(file, Arrays.copyOf(bytes, bytes.length - 20));
        assertEquals(
                file + ": the compressed data is truncated or corrupt",
                assertThrows(InputException.class, () -> read(file)).getMessage());
        bytes[bytes.length / 2] ^= 0x55;
        Files.write(file, bytes);
        assertEquals(
                file + ": the compressed data is truncated or corrupt",
                assertThrows(InputException.class, () -> read(file)).getMessage());
        Path empty = Files.writeString(folder.resolve("empty.txt"), "<|endoftext|>\n");
        assertEquals(
                empty + ": expected text, found none",
                assertThrows(InputException.class, () -> read(empty)).getMessage());
        Path latin = Files.write(folder.resolve("latin.txt"), new byte[] {'a', '\n', (byte) 0xe9, '\n'});
        assertEquals(
                latin + ":2: expected UTF-8, found other bytes",
                assertThrows(InputException.class, () -> read(latin)).getMessage());
        assertEquals(
                folder + "/none: expected a text file, found no such file",
                assertThrows(InputException.class, () -> read(folder.resolve("none")))
                        .getMessage());
    }
}
