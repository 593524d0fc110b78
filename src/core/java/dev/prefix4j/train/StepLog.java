package dev.prefix4j.train;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.prefix4j.AtomicFile;
import dev.prefix4j.InputException;
import java.io.BufferedWriter;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.channels.Channels;
import java.nio.channels.FileChannel;
import java.nio.channels.WritableByteChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** A file of JSON objects, one a line, each for a step. It is created with its first line and grows during a run. */
final class StepLog implements AutoCloseable {
    private final Path file;
    private @Nullable BufferedWriter writer; // null: no line is added yet

    StepLog(Path file) {
        this.file = file;
    }

    /**
     * Drops lines that are newer than a step, and a last line that was cut off.
     *
     * @param kept takes each line that stays
     * @throws InputException if a line is damaged; the file is then unchanged
     */
    void keepUpTo(int step, StepReader.Lines kept) {
        if (!Files.exists(file)) {
            return;
        }
        try {
            close(); // an open writer would continue in the replaced file
            writer = null;
            StepReader reader = new StepReader(file);
            long[] bytes = {0}; // steps are in order: what stays is the beginning
            reader.read(line -> {
                if (reader.step() <= step) {
                    bytes[0] = reader.end();
                    kept.take(line);
                }
            });
            if (bytes[0] < Files.size(file)) {
                AtomicFile.write(file, out -> copy(bytes[0], out));
            }
        } catch (IOException e) {
            throw AtomicFile.cannotWrite(file, e);
        }
    }

    private void copy(long bytes, OutputStream out) throws IOException {
        WritableByteChannel target = Channels.newChannel(out); // not ours to close
        try (FileChannel channel = FileChannel.open(file)) {
            for (long from = 0; from < bytes; ) {
                from += channel.transferTo(from, bytes - from, target);
            }
        }
    }

    void add(ObjectNode line) {
        try {
            if (writer == null) {
                writer = Files.newBufferedWriter(file, StandardOpenOption.CREATE, StandardOpenOption.APPEND);
            }
            writer.write(line.toString());
            writer.write('\n');
            writer.flush();
        } catch (IOException e) {
            throw AtomicFile.cannotWrite(file, e);
        }
    }

    /** @return empty if there is no file */
    List<JsonNode> lines() {
        List<JsonNode> lines = new ArrayList<>();
        new StepReader(file).read(lines::add);
        return lines;
    }

    @Override
    public void close() throws IOException {
        if (writer != null) {
            writer.close();
        }
    }
}
