package dev.prefix4j.text;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.prefix4j.AtomicFile;
import dev.prefix4j.Excerpt;
import dev.prefix4j.FileKind;
import dev.prefix4j.InputException;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import java.util.zip.ZipException;
import org.tukaani.xz.XZIOException;

/**
 * Data files: reads any {@link DataFormat}, plain or compressed with gzip or xz, and writes JSONL. An invalid row is an
 * error that names the file and the row; rows beyond the limit are not read.
 */
public final class DataFile {
    /** The longest XML or JSON entry that is accepted. */
    static final long MAX_ENTRY_BYTES = 16 << 20;

    /** A file that unpacks to more is a mistake or an attack; prefix-tuning needs little data. */
    private static final long MAX_FILE_BYTES = 1L << 30;

    private static final Pattern DART_KEY = Pattern.compile("\"(tripleset|annotations)\"\\s*:");

    private static final ObjectMapper JSON = new ObjectMapper();

    private DataFile() {}

    /**
     * Reads a file, or a folder of WebNLG files.
     *
     * @return at least one example
     * @throws InputException if the file is missing, of no known format, malformed or empty
     */
    public static List<Example> read(Path file, DataOptions options) {
        if (Files.isDirectory(file)) {
            return readFolder(file, options);
        }
        if (!Files.isRegularFile(file)) {
            throw new InputException(file + ": expected a data file, found "
                    + (Files.exists(file) ? "something other than a regular file" : "no such file"));
        }
        try {
            return read(Files.newInputStream(file), file, options);
        } catch (IOException e) {
            throw AtomicFile.cannotRead(file, e);
        }
    }

    /**
     * Reads a stream like a file.
     *
     * @param raw is closed
     * @param file its name in messages
     * @return at least one example
     * @throws InputException if the data are of no known format, malformed or empty
     */
    public static List<Example> read(InputStream raw, Path file, DataOptions options) {
        try (InputStream in = TextStream.open(raw, file, MAX_FILE_BYTES)) {
            FileKind.requireText(file, "rows of text", TextStream.start(in));
            DataFormat format = options.format().isPresent() ? options.format().get() : detect(file, in);
            List<Example> examples = switch (format) {
                case E2E -> laidOut(E2eReader.read(file, in, options), options.layout());
                case WEBNLG -> inOneLanguage(file, TripleXmlReader.read(file, in, options, false), options);
                case DART ->
                    peek(in).stripLeading().startsWith("<")
                            ? inOneLanguage(file, TripleXmlReader.read(file, in, options, true), options)
                            : DartJsonReader.read(file, in, options);
                case JSONL -> laidOut(JsonlReader.read(file, in, options), options.layout());
                case TSV -> laidOut(TsvReader.read(file, in, options), options.layout());
            };
            if (examples.isEmpty()) {
                throw new InputException(file + ": expected at least one example, found none");
            }
            return examples;
        } catch (ZipException | EOFException | XZIOException e) {
            throw new InputException(file + ": the compressed data is truncated or corrupt", e);
        } catch (IOException e) {
            throw AtomicFile.cannotRead(file, e);
        }
    }

    private static List<Example> inOneLanguage(Path file, List<TripleXmlReader.Entry> entries, DataOptions options) {
        return TripleXmlReader.inOneLanguage(file.toString(), entries, options);
    }

    private static List<Example> laidOut(List<Example> examples, Layout layout) {
        return examples.stream()
                .map(e -> new Example(layout.source(e.source()), e.targets(), e.location()))
                .toList();
    }

    private static List<Example> readFolder(Path folder, DataOptions options) {
        List<Path> files;
        if (options.format().isPresent() && options.format().get() != DataFormat.WEBNLG) {
            throw new InputException("%s: expected a file of format %s, found a folder, which only webnlg allows"
                    .formatted(folder, options.format().get()));
        }
        try (Stream<Path> all = Files.walk(folder)) {
            files = all.filter(path -> path.getFileName().toString().matches(".*\\.xml(\\.gz)?"))
                    .filter(Files::isRegularFile)
                    .sorted()
                    .toList();
        } catch (UncheckedIOException e) { // from a subfolder
            throw AtomicFile.cannotRead(folder, Objects.requireNonNull(e.getCause(), "the class promises one"));
        } catch (IOException e) {
            throw AtomicFile.cannotRead(folder, e);
        }
        if (files.isEmpty()) {
            throw new InputException(
                    folder + ": expected a data file or a folder of WebNLG files (*.xml), found a folder without one");
        }
        List<Example> examples = new ArrayList<>();
        for (Path file : files) {
            int left = options.limit() - examples.size();
            if (left == 0) {
                break;
            }
            examples.addAll(read(file, options.withFormat(DataFormat.WEBNLG).withLimit(left)));
        }
        return examples;
    }

    private static DataFormat detect(Path file, InputStream in) throws IOException {
        String start = peek(in).stripLeading();
        String firstLine = start.lines().findFirst().orElse("");
        if (firstLine.contains("\t") && file.getFileName().toString().matches(".*\\.tsv(\\.gz)?")) {
            return DataFormat.TSV; // "[TABLECONTEXT] : …" is not JSON, "<x>" not XML
        }
        if (start.startsWith("<")) {
            return start.contains("category=\"MISC\"")
                    ? DataFormat.DART
                    : DataFormat.WEBNLG; // DART has no other category
        }
        if (start.startsWith("[") || start.startsWith("{")) {
            return DART_KEY.matcher(start).find() ? DataFormat.DART : DataFormat.JSONL;
        }
        if (E2eReader.isHeader(firstLine)) {
            return DataFormat.E2E;
        }
        if (firstLine.contains("\t")) {
            return DataFormat.TSV;
        }
        if (start.isEmpty()) {
            throw new InputException(file + ": expected examples, found an empty file");
        }
        throw new InputException(
                file + ": line 1: expected the header 'mr,ref' of E2E, XML of WebNLG or DART, JSON of DART,"
                        + " JSONL, or a line with a tab, found '" + Excerpt.of(firstLine)
                        + "' (other CSV becomes TSV or JSONL; --format names a format)");
    }

    /** The beginning of the text, without consuming it. */
    private static String peek(InputStream in) throws IOException {
        return new String(TextStream.start(in), StandardCharsets.UTF_8);
    }

    /**
     * Writes examples as {@code {"source": …, "target": …}} lines; several targets are a list.
     *
     * @throws InputException if the file cannot be written; an earlier one is left unchanged
     */
    public static void writeJsonl(Path file, List<Example> examples) {
        AtomicFile.write(file, out -> {
            for (Example example : examples) {
                ObjectNode line = JSON.createObjectNode();
                line.put("source", example.source());
                if (example.targets().size() == 1) {
                    line.put("target", example.targets().getFirst());
                } else {
                    ArrayNode targets = line.putArray("target");
                    example.targets().forEach(targets::add);
                }
                out.write(line.toString().getBytes(StandardCharsets.UTF_8));
                out.write('\n');
            }
        });
    }
}
