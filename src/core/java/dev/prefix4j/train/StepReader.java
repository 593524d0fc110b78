package dev.prefix4j.train;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.StreamReadFeature;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import dev.prefix4j.AtomicFile;
import dev.prefix4j.InputException;
import dev.prefix4j.InputFile;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.Arrays;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * Reads a log of a run: one JSON object a line, each with its {@code step}, in order. Reading continues where it stopped
 * last time, so following a run only costs the added lines, and holds one line at a time.
 *
 * <p>What follows the last line break is still being written, or was when the process died: it is left for the next time.
 */
public final class StepReader {
    /** A longer line is not a line of a log. */
    public static final int MAX_LINE_BYTES = 1 << 20;

    private static final int BUFFER_BYTES = 1 << 16;
    private static final JsonMapper JSON = JsonMapper.builder(JsonFactory.builder()
                    .enable(StreamReadFeature.USE_FAST_DOUBLE_PARSER)
                    .build())
            .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
            .build();

    private final Path file;
    private @Nullable Object identity; // null: not read yet, or the file system does not say
    private long end;
    private long lines;
    private int step;

    /** @param file need not exist yet */
    public StepReader(Path file) {
        this.file = file;
    }

    /** Takes a line; {@link StepReader#location} says where it is. */
    @FunctionalInterface
    public interface Lines {
        void take(JsonNode line);
    }

    /**
     * Reads the lines that have been added.
     *
     * @throws InputException if one is damaged
     */
    public void read(Lines taker) {
        if (!Files.exists(file)) {
            return;
        }
        InputFile.require(file, "a file of JSON lines");
        try (FileChannel channel = FileChannel.open(file)) {
            identity = identity();
            channel.position(end);
            byte[] line = new byte[BUFFER_BYTES]; // the beginning of a line that did not fit into a buffer
            int length = 0;
            ByteBuffer buffer = ByteBuffer.allocate(BUFFER_BYTES);
            while (channel.read(buffer.clear()) > 0) {
                byte[] bytes = buffer.array();
                int from = 0;
                for (int i = 0; i < buffer.position(); i++) {
                    if (bytes[i] != '\n') {
                        continue;
                    }
                    if (length == 0) {
                        take(bytes, from, i - from, taker);
                    } else {
                        line = joined(line, length, bytes, from, i);
                        take(line, 0, length + i - from, taker);
                        length = 0;
                    }
                    from = i + 1;
                }
                line = joined(line, length, bytes, from, buffer.position());
                length += buffer.position() - from;
            }
        } catch (IOException e) {
            throw AtomicFile.cannotRead(file, e);
        }
    }

    /** @return {@code line} with more at its end, longer if need be */
    private byte[] joined(byte[] line, int length, byte[] more, int from, int to) {
        int all = length + to - from;
        if (all > MAX_LINE_BYTES) {
            lines++;
            throw new InputException("%s: expected a line of at most %,d bytes, found a longer one"
                    .formatted(location(), MAX_LINE_BYTES));
        }
        byte[] result = all > line.length ? Arrays.copyOf(line, Math.max(all, 2 * line.length)) : line;
        System.arraycopy(more, from, result, length, to - from);
        return result;
    }

    private void take(byte[] bytes, int from, int length, Lines taker) {
        lines++;
        end += length + 1;
        JsonNode json;
        try {
            json = JSON.readTree(bytes, from, length);
        } catch (IOException e) {
            throw new InputException(damaged(), e);
        }
        if (!json.isObject() || !json.path(Step.STEP).isInt()) {
            throw new InputException(damaged());
        }
        int next = json.path(Step.STEP).intValue();
        if (next < step) {
            throw new InputException("%s: key 'step': expected at least %d%s, found %d"
                    .formatted(location(), step, lines == 1 ? "" : ", as in the line before", next));
        }
        step = next;
        taker.take(json);
    }

    private String damaged() {
        return location() + ": expected a JSON object with a 'step', found other text";
    }

    /** The file and the line that was last read, for a message. */
    public String location() {
        return file + ":" + lines;
    }

    /** The step of the line that was last read; 0 before. */
    public int step() {
        return step;
    }

    /** Bytes of the lines that have been read. */
    public long end() {
        return end;
    }

    /** Whether another file has replaced the one that was read; it must then be read from the beginning. */
    public boolean isReplaced() {
        try {
            return end > 0 && (Files.size(file) < end || !Objects.equals(identity, identity()));
        } catch (IOException e) {
            return true; // it is gone
        }
    }

    private @Nullable Object identity() throws IOException {
        return Files.readAttributes(file, BasicFileAttributes.class).fileKey();
    }
}
