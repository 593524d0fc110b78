package dev.prefix4j.text;

import dev.prefix4j.InputException;
import java.io.BufferedInputStream;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.zip.GZIPInputStream;
import org.tukaani.xz.XZInputStream;

/** Opens text files, plain or compressed with gzip or xz, as detected from the content, not the name. */
final class TextStream {
    private static final int BUFFER_BYTES = 1 << 16;

    /** How much of a file is examined to detect its format. */
    private static final int PEEK_BYTES = 1 << 16;

    private static final byte[] GZIP = {0x1f, (byte) 0x8b};
    private static final byte[] XZ = {(byte) 0xfd, '7', 'z', 'X', 'Z', 0};
    private static final byte[] BYTE_ORDER_MARK = {(byte) 0xef, (byte) 0xbb, (byte) 0xbf};

    private static final byte[] UTF16_LITTLE = {(byte) 0xff, (byte) 0xfe};
    private static final byte[] UTF16_BIG = {(byte) 0xfe, (byte) 0xff};
    private static final int MAX_UTF16_BYTES = 32 << 20;

    /** What the highest preset of xz needs, and no more. */
    private static final int XZ_MEMORY_KIB = 66 << 10;

    private TextStream() {}

    /**
     * The text of a stream; a byte order mark is skipped.
     *
     * @param raw closed with the result, and on failure
     * @param name of its origin, for messages
     * @param maxBytes of the unpacked text; reading beyond is an {@link dev.prefix4j.InputException}
     * @throws IOException if it cannot be read; {@link java.util.zip.ZipException}, {@link java.io.EOFException} or
     *     {@link org.tukaani.xz.XZIOException} if the compressed data is corrupt, also while reading
     */
    static InputStream open(InputStream raw, Path name, long maxBytes) throws IOException {
        try {
            InputStream data = unpack(new BufferedInputStream(raw, BUFFER_BYTES));
            InputStream text =
                    new BufferedInputStream(new BoundedStream(data, "a file", maxBytes, name.toString()), BUFFER_BYTES);
            if (startsWith(text, BYTE_ORDER_MARK)) {
                text.skipNBytes(BYTE_ORDER_MARK.length);
            }
            return startsWith(text, UTF16_LITTLE) || startsWith(text, UTF16_BIG) ? ofUtf16(name, text) : text;
        } catch (IOException | RuntimeException e) {
            raw.close();
            throw e;
        }
    }

    /** As {@link #open(InputStream, Path, long)}, for a file. */
    static InputStream open(Path file, long maxBytes) throws IOException {
        return open(Files.newInputStream(file), file, maxBytes);
    }

    /** Reads the whole file at once: such files come from spreadsheets and are small. */
    private static InputStream ofUtf16(Path file, InputStream text) throws IOException {
        byte[] bytes = text.readNBytes(MAX_UTF16_BYTES + 1);
        text.close();
        if (bytes.length > MAX_UTF16_BYTES) {
            throw new InputException(
                    "%s: expected at most %,d bytes of UTF-16, found more: convert it with iconv -f UTF-16 -t UTF-8"
                            .formatted(file, MAX_UTF16_BYTES));
        }
        try {
            String content = StandardCharsets.UTF_16
                    .newDecoder()
                    .decode(ByteBuffer.wrap(bytes))
                    .toString(); // by its byte order mark
            return new ByteArrayInputStream(content.getBytes(StandardCharsets.UTF_8));
        } catch (CharacterCodingException e) {
            throw new InputException(
                    file + ": expected UTF-16 text, as its byte order mark says, found other bytes", e);
        }
    }

    private static InputStream unpack(InputStream raw) throws IOException {
        if (startsWith(raw, GZIP)) {
            return new GZIPInputStream(raw, BUFFER_BYTES);
        }
        return startsWith(raw, XZ) ? new XZInputStream(raw, XZ_MEMORY_KIB) : raw;
    }

    /** The next bytes, without consuming them. */
    static byte[] start(InputStream in) throws IOException {
        in.mark(PEEK_BYTES);
        byte[] bytes = in.readNBytes(PEEK_BYTES - 1);
        in.reset();
        return bytes;
    }

    private static boolean startsWith(InputStream in, byte[] expected) throws IOException {
        in.mark(expected.length);
        byte[] start = in.readNBytes(expected.length);
        in.reset();
        return Arrays.equals(start, expected);
    }
}
