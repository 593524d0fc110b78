package dev.prefix4j.text;

import dev.prefix4j.AtomicFile;
import dev.prefix4j.FileKind;
import dev.prefix4j.InputException;
import dev.prefix4j.InputFile;
import java.io.BufferedInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** The lines of a plain text file, one for each segment of a corpus. */
public final class TextLines {
    private TextLines() {}

    /**
     * Reads all lines; a carriage return before a line feed is not part of the line.
     *
     * @param maxBytes of the file
     * @return at least one line
     * @throws InputException if the file is missing, not a regular file, larger, empty or not UTF-8
     */
    public static List<String> read(Path file, long maxBytes) {
        HeapBudget budget = new HeapBudget();
        List<String> all = new ArrayList<>();
        try (InputStream in = new BufferedInputStream(
                new BoundedStream(InputFile.open(file, "a text file"), "a text file", maxBytes, file.toString()))) {
            FileKind.requireText(file, "lines of text", TextStream.start(in));
            LineSource lines = new LineSource(file, in);
            for (String line = lines.next(); line != null; line = lines.next()) {
                budget.take(lines.location(), line, List.of());
                all.add(line);
            }
        } catch (IOException e) {
            throw AtomicFile.cannotRead(file, e);
        }
        if (all.isEmpty()) {
            throw new InputException(file + ": expected at least one line, found an empty file");
        }
        return all;
    }
}
