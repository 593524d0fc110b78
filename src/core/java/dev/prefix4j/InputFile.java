package dev.prefix4j;

import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.charset.CodingErrorAction;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * Opens input files named by the user. Only regular files are opened: a named pipe would wait for a writer that may
 * never come, and a device has no end.
 */
public final class InputFile {
    private InputFile() {}

    /**
     * @param expected what the file should be, for the message: {@code a data file}
     * @throws InputException if it is missing, a folder, a pipe, a device or a socket
     */
    public static void require(Path file, String expected) {
        if (!Files.isRegularFile(file)) {
            throw new InputException("%s: expected %s, found %s"
                    .formatted(file, expected, PathKind.of(file).found()));
        }
    }

    /**
     * Opens a regular file.
     *
     * @throws InputException as {@link #require}, or if it cannot be opened
     */
    public static InputStream open(Path file, String expected) {
        require(file, expected);
        try {
            return Files.newInputStream(file);
        } catch (IOException e) {
            throw AtomicFile.cannotRead(file, e);
        }
    }

    /**
     * Reads a small UTF-8 file.
     *
     * @param maxBytes a larger file is rejected
     * @throws InputException as {@link #open}, or if the file is larger or not UTF-8
     */
    public static String readString(Path file, String expected, int maxBytes) {
        try (InputStream in = open(file, expected)) {
            byte[] bytes = in.readNBytes(maxBytes + 1);
            if (bytes.length > maxBytes) {
                throw new InputException(
                        "%s: expected %s of at most %,d bytes, found more".formatted(file, expected, maxBytes));
            }
            return StandardCharsets.UTF_8
                    .newDecoder()
                    .onMalformedInput(CodingErrorAction.REPORT)
                    .onUnmappableCharacter(CodingErrorAction.REPORT)
                    .decode(ByteBuffer.wrap(bytes))
                    .toString();
        } catch (IOException e) {
            throw AtomicFile.cannotRead(file, e);
        }
    }
}
