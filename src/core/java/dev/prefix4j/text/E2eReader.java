package dev.prefix4j.text;

import dev.prefix4j.Excerpt;
import dev.prefix4j.InputException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.regex.Pattern;

/** Reads {@link DataFormat#E2E}. */
final class E2eReader {
    /** What may occur between slots and at the ends. */
    private static final Pattern BETWEEN = Pattern.compile("[\\s,]*");

    /** Names of the columns in lower case: the challenge's, then the hub's. */
    static final List<String> SOURCES = List.of("mr", "meaning_representation");

    static final List<String> TARGETS = List.of("ref", "human_reference");

    private E2eReader() {}

    static boolean isHeader(String line) {
        return SOURCES.stream()
                .anyMatch(names(line.replace("\"", "").split(String.valueOf(delimiter(line))))::contains);
    }

    /** Spreadsheets in many locales write semicolons. */
    private static char delimiter(String header) {
        return header.indexOf(';') >= 0 ? ';' : header.indexOf('\t') >= 0 ? '\t' : ',';
    }

    private static List<String> names(String... columns) {
        return Arrays.stream(columns)
                .map(name -> name.strip().toLowerCase(Locale.ROOT))
                .toList();
    }

    static List<Example> read(Path file, InputStream in, DataOptions options) throws IOException {
        LineSource lines = new LineSource(file, in);
        String first = lines.next();
        if (first == null) {
            throw new InputException(file + ": line 1: expected the columns mr and ref, found an empty file");
        }
        char delimiter = delimiter(first);
        List<String> header = record(lines, first, delimiter);
        List<String> names = names(header.toArray(String[]::new));
        int mr = index(names, SOURCES);
        int ref = index(names, TARGETS);
        boolean alone = names.size() == 1 || !options.targets(); // a test set with sources only
        if (mr < 0 || (ref < 0 && !alone)) {
            throw lines.wrong(
                    "the columns mr and ref, or meaning_representation and human_reference",
                    Excerpt.of(String.join(",", header)));
        }
        HeapBudget budget = new HeapBudget();
        List<Example> examples = new ArrayList<>();
        for (String line; examples.size() < options.limit() && (line = lines.next()) != null; ) {
            String location = lines.location();
            List<String> row = record(lines, line, delimiter);
            if (row.equals(List.of("")) && line.isEmpty()) {
                continue;
            }
            if (row.size() != header.size()) {
                throw new InputException(
                        "%s: expected %d columns, found %d".formatted(location, header.size(), row.size()));
            }
            String source = linearize(
                    row.get(mr), location + ": column '" + header.get(mr).strip() + "'");
            if (ref < 0 || !options.targets()) {
                examples.add(budget.take(Example.ofSource(source, location)));
                continue;
            }
            if (row.get(ref).isBlank()) {
                throw new InputException("%s: column '%s': expected a text, found none"
                        .formatted(location, header.get(ref).strip()));
            }
            examples.add(budget.take(new Example(source, List.of(row.get(ref)), location)));
        }
        return examples;
    }

    private static int index(List<String> names, List<String> wanted) {
        return wanted.stream()
                .mapToInt(names::indexOf)
                .filter(i -> i >= 0)
                .findFirst()
                .orElse(-1);
    }

    /**
     * {@code name[Alimentum], area[city centre]} as {@code name : Alimentum | area : city centre}.
     *
     * @param where its location, for the message
     * @throws InputException if any part of it is not a slot
     */
    static String linearize(String mr, String where) {
        List<String> slots = new ArrayList<>();
        int end = 0;
        while (true) { // by hand: a regular expression takes quadratic time if a bracket is missing
            int open = mr.indexOf('[', end);
            int close = mr.indexOf(']', open);
            if (open < 0 || close < 0) {
                break;
            }
            int name = open;
            while (name > end && mr.charAt(name - 1) != ',' && mr.charAt(name - 1) != ']') {
                name--;
            }
            requireNothing(mr, end, name, where);
            if (name == open) {
                break;
            }
            slots.add(mr.substring(name, open).strip() + " : "
                    + mr.substring(open + 1, close).strip());
            end = close + 1;
        }
        requireNothing(mr, slots.isEmpty() ? 0 : end, mr.length(), where);
        if (slots.isEmpty()) {
            throw new InputException(where + ": expected name[value], …, found none");
        }
        return String.join(" | ", slots);
    }

    private static void requireNothing(String mr, int from, int to, String where) {
        String rest = mr.substring(from, to);
        if (!BETWEEN.matcher(rest).matches()) {
            throw new InputException("%s: expected name[value], …, found '%s'%s"
                    .formatted(
                            where,
                            Excerpt.of(rest.strip()),
                            from == 0 ? "" : " after '" + Excerpt.of(mr.substring(0, from)) + "'"));
        }
    }

    /** An RFC 4180 record, whose quoted fields may contain line breaks; it starts with the line that was read last. */
    private static List<String> record(LineSource lines, String line, char delimiter) throws IOException {
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
                    throw lines.wrong(
                            "the closing quote of the field that began in line " + first, "the end of the file");
                }
                field.append('\n');
                if (field.length() > LineSource.MAX_LINE_BYTES) {
                    throw lines.wrong(
                            "a field of at most " + LineSource.MAX_LINE_BYTES + " characters", "a longer one");
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
            } else if (c == delimiter) {
                fields.add(field.toString());
                field.setLength(0);
                wasQuoted = false;
            } else if (c == '"' && field.isEmpty() && !wasQuoted) {
                quoted = true;
                wasQuoted = true;
            } else if (wasQuoted) {
                throw lines.wrong("a comma after a closing quote", "'" + Excerpt.of(String.valueOf(c)) + "'");
            } else {
                field.append(c);
            }
        }
    }
}
