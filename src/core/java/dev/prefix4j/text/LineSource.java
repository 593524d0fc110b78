package dev.prefix4j.text;

import dev.prefix4j.InputException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.CodingErrorAction;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/** The lines of a UTF-8 file with their numbers; rejects invalid bytes and overlong lines. */
final class LineSource {
    /** The longest line that is accepted as text. */
    static final int MAX_LINE_BYTES = 16 << 20;

    /** A limit on consecutive empty lines: a few kilobytes can unpack to a billion of them. */
    private static final int MAX_BLANK_LINES = 1_000_000;

    private final Path file;
    private final InputStream in;
    private byte[] buffer = new byte[1024];
    private int number;
    private int blank;

    LineSource(Path file, InputStream in) {
        this.file = file;
        this.in = in;
    }

    /** Number of the line that was read last, from 1. */
    int number() {
        return number;
    }

    /** The location of the last line, for messages. */
    String location() {
        return file + ":" + number;
    }

    InputException wrong(String expected, String found) {
        return new InputException("%s: expected %s, found %s".formatted(location(), expected, found));
    }

    /** The next line without its end, or null. */
    @Nullable
    String next() throws IOException {
        int length = 0;
        int b = in.read();
        if (b < 0) {
            return null;
        }
        number++;
        for (; b >= 0 && b != '\n'; b = in.read()) {
            if (length == MAX_LINE_BYTES) {
                throw wrong("a line of at most " + MAX_LINE_BYTES + " bytes", "a longer one");
            }
            if (length == buffer.length) {
                buffer = Arrays.copyOf(buffer, 2 * buffer.length);
            }
            buffer[length++] = (byte) b;
        }
        if (length > 0 && buffer[length - 1] == '\r') {
            length--;
        }
        if (length > 0) {
            blank = 0;
        } else if (++blank > MAX_BLANK_LINES) {
            throw wrong("text", "%,d empty lines in a row".formatted(MAX_BLANK_LINES));
        }
        try {
            return StandardCharsets.UTF_8
                    .newDecoder()
                    .onMalformedInput(CodingErrorAction.REPORT)
                    .onUnmappableCharacter(CodingErrorAction.REPORT)
                    .decode(ByteBuffer.wrap(buffer, 0, length))
                    .toString();
        } catch (CharacterCodingException e) {
            throw wrong("UTF-8", "other bytes");
        }
    }
}
