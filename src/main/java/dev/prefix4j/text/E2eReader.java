package dev.prefix4j.text;

import dev.prefix4j.Excerpt;
import dev.prefix4j.InputException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/** Reads {@link DataFormat#E2E}. */
final class E2eReader {
    private static final Pattern SLOT = Pattern.compile("([^,\\[\\]]+)\\[([^\\]]*)\\]");

    private E2eReader() {}

    static boolean isHeader(String line) {
        List<String> columns = List.of(line.replace("\"", "").strip().toLowerCase(java.util.Locale.ROOT).split(","));
        return columns.contains("mr") && columns.contains("ref");
    }

    static List<Example> read(Path file, InputStream in, int limit) throws IOException {
        LineSource lines = new LineSource(file, in);
        List<String> header = record(lines);
        if (header == null) {
            throw new InputException(file + ": line 1: expected the columns mr and ref, found an empty file");
        }
        int mr = header.indexOf("mr");
        int ref = header.indexOf("ref");
        if (mr < 0 || ref < 0) {
            throw lines.wrong("the columns mr and ref", Excerpt.of(String.join(",", header)));
        }
        List<Example> examples = new ArrayList<>();
        while (examples.size() < limit) {
            int first = lines.number() + 1;
            List<String> row = record(lines);
            if (row == null) {
                break;
            }
            if (row.equals(List.of(""))) {
                continue; // an empty line
            }
            String location = file + ":" + first;
            if (row.size() != header.size()) {
                throw new InputException("%s: expected %d columns, found %d".formatted(location, header.size(), row.size()));
            }
            String source = linearize(row.get(mr));
            if (source.isEmpty()) {
                throw new InputException("%s: column 'mr': expected name[value], …, found '%s'"
                        .formatted(location, Excerpt.of(row.get(mr))));
            }
            if (row.get(ref).isBlank()) {
                throw new InputException(location + ": column 'ref': expected a text, found none");
            }
            examples.add(new Example(source, List.of(row.get(ref)), location));
        }
        return examples;
    }

    static String linearize(String mr) {
        return SLOT.matcher(mr)
                .results()
                .map((MatchResult slot) -> slot.group(1).strip() + " : " + slot.group(2).strip())
                .collect(Collectors.joining(" | "));
    }

    /** A record as in RFC 4180, whose quoted fields may hold line ends; null at the end of the file. */
    private static List<String> record(LineSource lines) throws IOException {
        String line = lines.next();
        if (line == null) {
            return null;
        }
        int first = lines.number();
        List<String> fields = new ArrayList<>();
        StringBuilder field = new StringBuilder();
        boolean quoted = false;
        boolean wasQuoted = false;
        for (int i = 0; ; i++) {
            if (i == line.length()) {
                if (!quoted) {
                    fields.add(field.toString());
                    return fields;
                }
                line = lines.next();
                if (line == null) {
                    throw lines.wrong("the closing quote of the field that began in line " + first, "the end of the file");
                }
                field.append('\n');
                if (field.length() > LineSource.MAX_LINE_BYTES) {
                    throw lines.wrong("a field of at most " + LineSource.MAX_LINE_BYTES + " characters", "a longer one");
                }
                i = -1;
                continue;
            }
            char c = line.charAt(i);
            if (quoted) {
                if (c != '"') {
                    field.append(c);
                } else if (i + 1 < line.length() && line.charAt(i + 1) == '"') {
                    field.append('"');
                    i++;
                } else {
                    quoted = false;
                }
            } else if (c == ',') {
                fields.add(field.toString());
                field.setLength(0);
                wasQuoted = false;
            } else if (c == '"' && field.isEmpty() && !wasQuoted) {
                quoted = true;
                wasQuoted = true;
            } else if (c == '"' || wasQuoted) {
                throw lines.wrong("a comma after a closing quote, and quotes only around a whole field", "'" + Excerpt.of(String.valueOf(c)) + "'");
            } else {
                field.append(c);
            }
        }
    }
}
