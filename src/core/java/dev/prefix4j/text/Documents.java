package dev.prefix4j.text;

import dev.prefix4j.AtomicFile;
import dev.prefix4j.FileKind;
import dev.prefix4j.InputException;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.function.Consumer;
import java.util.zip.ZipException;
import org.tukaani.xz.XZIOException;

/**
 * Plain text for pretraining: UTF-8, documents separated by a line {@value #SEPARATOR}; a file without such a line is
 * one document. Plain or compressed with gzip or xz.
 */
public final class Documents {
    /** The line between two documents. */
    public static final String SEPARATOR = "<|endoftext|>";

    private static final long MAX_FILE_BYTES = 1L << 40;

    /** A longer document is passed on in parts: memory use does not depend on the file. */
    private static final int MAX_CHARACTERS = 1 << 20;

    private Documents() {}

    /**
     * Examines only the beginning of a file.
     *
     * @throws InputException if there is no such file, or it is not text
     */
    public static void requireFile(Path file) {
        if (!Files.isRegularFile(file)) {
            throw new InputException(file + ": expected a text file, found "
                    + (Files.exists(file) ? "something other than a regular file" : "no such file"));
        }
        try (InputStream in = TextStream.open(file, MAX_FILE_BYTES)) {
            requireText(file, in);
        } catch (IOException e) {
            // reading it reports what is wrong
        }
    }

    private static void requireText(Path file, InputStream in) throws IOException {
        byte[] start = TextStream.start(in);
        if (FileKind.of(start) != FileKind.HTML) { // a corpus may well consist of HTML
            FileKind.requireText(file, "text", start);
        }
    }

    /**
     * Reads a file document by document, without line breaks at either end; empty ones are skipped.
     *
     * @throws InputException if the file is missing, corrupt, not UTF-8, or has no text
     */
    public static void read(Path file, Consumer<String> reader) {
        requireFile(file);
        try (InputStream in = TextStream.open(file, MAX_FILE_BYTES)) {
            if (!read(new LineSource(file, in), reader)) {
                throw new InputException(file + ": expected text, found none");
            }
        } catch (ZipException | EOFException | XZIOException e) {
            throw new InputException(file + ": the compressed data is truncated or corrupt", e);
        } catch (IOException e) {
            throw AtomicFile.cannotRead(file, e);
        }
    }

    private static boolean read(LineSource lines, Consumer<String> reader) throws IOException {
        boolean any = false;
        StringBuilder document = new StringBuilder();
        for (String line = lines.next(); line != null; line = lines.next()) {
            boolean end = line.equals(SEPARATOR);
            if (!end) {
                document.append(line).append('\n');
            }
            if (end || document.length() > MAX_CHARACTERS) {
                any |= give(document, reader);
            }
        }
        any |= give(document, reader);
        return any;
    }

    private static boolean give(StringBuilder document, Consumer<String> reader) {
        String text = document.toString().strip();
        document.setLength(0);
        if (text.isEmpty()) {
            return false;
        }
        reader.accept(text);
        return true;
    }
}
