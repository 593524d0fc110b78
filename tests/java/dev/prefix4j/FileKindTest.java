package dev.prefix4j;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.zip.GZIPOutputStream;
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class FileKindTest {
    private static byte[] zip(String entry) throws IOException {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        try (ZipOutputStream zip = new ZipOutputStream(bytes)) {
            zip.putNextEntry(new ZipEntry(entry));
            zip.write("content".getBytes(StandardCharsets.UTF_8));
        }
        return bytes.toByteArray();
    }

    @Test
    void tellsArchivesApart() throws IOException {
        assertEquals(FileKind.ZIP, FileKind.of(zip("train.csv")));
        assertEquals(FileKind.XLSX, FileKind.of(zip("[Content_Types].xml")));
        assertEquals(FileKind.TORCH, FileKind.of(zip("archive/data.pkl")));
        ByteArrayOutputStream gzip = new ByteArrayOutputStream();
        new GZIPOutputStream(gzip).close();
        assertEquals(FileKind.GZIP, FileKind.of(gzip.toByteArray()));
    }

    @ParameterizedTest
    @CsvSource(
            quoteCharacter = '`',
            value = {
                "version https://git-lfs.github.com/spec/v1, LFS_POINTER",
                "<!DOCTYPE html><html>, HTML",
                "<?xml version='1.0'?><benchmark>, XML",
                "` {\"source\": 1}`, JSON",
                "`mr,ref`, TEXT",
                "PAR1\u0015\u0004, PARQUET",
                "ARROW1, ARROW",
                "BZh91AY, BZIP2",
                "GGUF\u0003, GGUF",
            })
    void tellsByTheFirstBytes(String start, FileKind kind) {
        assertEquals(kind, FileKind.of(start.getBytes(StandardCharsets.UTF_8)));
    }

    @Test
    void tellsEncodings() {
        assertEquals(FileKind.UTF16, FileKind.of("mr,ref".getBytes(StandardCharsets.UTF_16)));
        assertEquals(FileKind.UTF16, FileKind.of("mr,ref".getBytes(StandardCharsets.UTF_16LE)));
        assertEquals(FileKind.OTHER_TEXT, FileKind.of("café au lait".getBytes(StandardCharsets.ISO_8859_1)));
        assertEquals(FileKind.TEXT, FileKind.of("café".repeat(1000).getBytes(StandardCharsets.UTF_8)));
        assertEquals(FileKind.BINARY, FileKind.of(new byte[100]));
        assertEquals(FileKind.EMPTY, FileKind.of(new byte[0]));
    }

    @Test
    void aCutCharacterAtTheEndIsStillText() {
        byte[] bytes = "aé".getBytes(StandardCharsets.UTF_8);
        assertEquals(FileKind.TEXT, FileKind.of(java.util.Arrays.copyOf(bytes, 2)));
    }

    @Test
    void tellsPicklesAndSafetensors() {
        assertEquals(FileKind.PICKLE, FileKind.of(new byte[] {(byte) 0x80, 4, (byte) 0x95, 0, 0, 0}));
        assertEquals(
                FileKind.SAFETENSORS, FileKind.of("\u0010\0\0\0\0\0\0\0{\"a\":{}}".getBytes(StandardCharsets.UTF_8)));
        assertTrue(FileKind.PICKLE.found().contains("safetensors"));
    }

    @Test
    void headerOfSafetensorsMayHaveAnyLength() {
        for (int length : new int[] {2, 640, 896, 1152, 1408, 35_615, 0x685a42}) {
            byte[] start = ByteBuffer.allocate(64)
                    .order(ByteOrder.LITTLE_ENDIAN)
                    .putLong(length)
                    .put((byte) '{')
                    .array();
            assertEquals(FileKind.SAFETENSORS, FileKind.of(start), "length " + length);
        }
    }
}
