package dev.prefix4j.train;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.prefix4j.AtomicFile;
import dev.prefix4j.InputException;
import java.io.BufferedWriter;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;

/** A file of JSON objects, one a line, each of a step; it is made with its first line and grows while a run goes on. */
final class StepLog implements AutoCloseable {
    private static final ObjectMapper JSON = new ObjectMapper();

    private final Path file;
    private BufferedWriter writer;

    StepLog(Path file) {
        this.file = file;
    }

    /**
     * Drops what is newer than a step, and a last line that was cut off.
     *
     * @throws InputException if another line is no JSON; the file stays as it was
     */
    void keepUpTo(int step) {
        if (!Files.exists(file)) {
            return;
        }
        try {
            close(); // what is still open would go on with the replaced file
            writer = null;
            String text = Files.readString(file);
            // What follows the last line end was being written when the process died.
            List<String> lines = text.substring(0, text.lastIndexOf('\n') + 1).lines().toList();
            List<String> kept = new ArrayList<>();
            for (int i = 0; i < lines.size(); i++) {
                if (stepOf(lines.get(i), file + ":" + (i + 1)) <= step) {
                    kept.add(lines.get(i));
                }
            }
            AtomicFile.write(file, kept.isEmpty() ? "" : String.join("\n", kept) + "\n");
        } catch (IOException e) {
            throw AtomicFile.cannotWrite(file, e);
        }
    }

    private static int stepOf(String line, String location) {
        try {
            JsonNode step = JSON.readTree(line).path("step");
            if (step.isInt()) {
                return step.intValue();
            }
        } catch (JsonProcessingException e) {
            // Said below.
        }
        throw new InputException(location + ": expected a JSON object with a 'step', found other text");
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

    /** @return none if there is no file */
    List<JsonNode> lines() {
        if (!Files.exists(file)) {
            return List.of();
        }
        try {
            List<JsonNode> lines = new ArrayList<>();
            for (String line : Files.readAllLines(file, StandardCharsets.UTF_8)) {
                lines.add(JSON.readTree(line));
            }
            return lines;
        } catch (IOException e) {
            throw AtomicFile.cannotRead(file, e);
        }
    }

    @Override
    public void close() throws IOException {
        if (writer != null) {
            writer.close();
        }
    }
}
