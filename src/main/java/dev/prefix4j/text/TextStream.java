package dev.prefix4j.text;

import java.io.BufferedInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.zip.GZIPInputStream;
import org.tukaani.xz.XZInputStream;

/** Opens text files, plain or compressed by gzip or xz: the content tells, not the name. */
final class TextStream {
    private static final int BUFFER_BYTES = 1 << 16;
    private static final byte[] GZIP = {0x1f, (byte) 0x8b};
    private static final byte[] XZ = {(byte) 0xfd, '7', 'z', 'X', 'Z', 0};
    private static final byte[] BYTE_ORDER_MARK = {(byte) 0xef, (byte) 0xbb, (byte) 0xbf};

    /** What the highest preset of xz needs, and no more. */
    private static final int XZ_MEMORY_KIB = 66 << 10;

    private TextStream() {}

    /**
     * Opens a file for reading; a byte order mark is skipped.
     *
     * @param maxBytes of the unpacked text; reading beyond is an {@link dev.prefix4j.InputException}
     * @throws IOException if it cannot be read; {@link java.util.zip.ZipException}, {@link java.io.EOFException} or
     *     {@link org.tukaani.xz.XZIOException} where the compressed data is damaged, also while reading
     */
    static InputStream open(Path file, long maxBytes) throws IOException {
        InputStream raw = new BufferedInputStream(Files.newInputStream(file), BUFFER_BYTES);
        try {
            InputStream data = unpack(raw);
            InputStream text = new BufferedInputStream(
                    new BoundedStream(data, "a file", maxBytes, file.toString()), BUFFER_BYTES);
            if (startsWith(text, BYTE_ORDER_MARK)) {
                text.skipNBytes(BYTE_ORDER_MARK.length);
            }
            return text;
        } catch (IOException | RuntimeException e) {
            raw.close();
            throw e;
        }
    }

    private static InputStream unpack(InputStream raw) throws IOException {
        if (startsWith(raw, GZIP)) {
            return new GZIPInputStream(raw, BUFFER_BYTES);
        }
        return startsWith(raw, XZ) ? new XZInputStream(raw, XZ_MEMORY_KIB) : raw;
    }

    private static boolean startsWith(InputStream in, byte[] expected) throws IOException {
        in.mark(expected.length);
        byte[] start = in.readNBytes(expected.length);
        in.reset();
        return Arrays.equals(start, expected);
    }
}
