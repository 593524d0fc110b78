package dev.prefix4j.text;

import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** Reads {@link DataFormat#TSV}. */
final class TsvReader {
    private TsvReader() {}

    static List<Example> read(Path file, InputStream in, DataOptions options) throws IOException {
        LineSource lines = new LineSource(file, in);
        HeapBudget budget = new HeapBudget();
        List<Example> examples = new ArrayList<>();
        for (String line; examples.size() < options.limit() && (line = lines.next()) != null; ) {
            if (line.isBlank()) {
                continue;
            }
            String[] columns = line.split("\t", -1);
            if (columns.length != 2 && (options.targets() || columns.length != 1)) {
                throw lines.wrong("2 columns, source and target, separated by a tab", Integer.toString(columns.length));
            }
            if (columns[0].isBlank() || (options.targets() && columns[1].isBlank())) {
                throw lines.wrong("a source and a target", columns[0].isBlank() ? "no source" : "no target");
            }
            examples.add(budget.take(
                    new Example(columns[0], options.targets() ? List.of(columns[1]) : List.of(), lines.location())));
        }
        return examples;
    }
}
