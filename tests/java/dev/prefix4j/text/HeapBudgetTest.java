package dev.prefix4j.text;

import static org.junit.jupiter.api.Assertions.assertDoesNotThrow;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.prefix4j.InputException;
import java.io.BufferedOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.zip.GZIPOutputStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class HeapBudgetTest {
    @TempDir
    Path temporary;

    @Test
    void rowsBeyondAShareOfTheHeapAreRefusedByTheirPlace() {
        HeapBudget budget = new HeapBudget(10 << 20);
        String text = "x".repeat(1 << 20);
        assertDoesNotThrow(() -> {
            for (int row = 1; row <= 5; row++) {
                budget.take("file:" + row, text, List.of("y"));
            }
        });
        InputException e = assertThrows(InputException.class, () -> budget.take("file:6", "s", List.of(text)));
        assertTrue(
                e.getMessage().startsWith("file:6: expected rows that fit into the Java heap of 10 MB, found more"),
                e.getMessage());
    }

    /** Small files that unpack to rows without end, each read by a process whose heap is small. */
    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
        a.tsv.gz   | tsv | 'a\tb\n'                                        | expected rows that fit into the Java heap of
        a.csv.gz   | e2e | 'name[a],b\n'                                   | expected rows that fit into the Java heap of
        a.jsonl.gz | jsonl | '{"source":"a","target":"b"}\n'                 | expected rows that fit into the Java heap of
        d.json.gz  | dart | '{"tripleset":[["a","b","c"]],"annotations":[{"source":"s","text":"t"}]}\n' | expected rows that fit into the Java heap of
        a.xml.gz   | webnlg | '<entry category="C" eid="1"><modifiedtripleset><mtriple>a | b | c</mtriple></modifiedtripleset><lex lid="1">t</lex></entry>\n' | expected rows that fit into the Java heap of
        b.tsv.gz   | tsv | '\n'                                            | expected text, found 1,000,000 empty lines in a row
        b.csv.gz   | e2e | '\n\n'                                          | expected text, found 1,000,000 empty lines in a row
        """)
    void rowsWithoutEndAreOneLine(String name, String format, String row, String expected) throws Exception {
        Path file = packed(name, row.replace("\\n", "\n").replace("\\t", "\t"));
        Path log = temporary.resolve("log");
        Process process = new ProcessBuilder(
                        Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                        "-Xmx64m",
                        "-XX:+UseSerialGC",
                        "-cp",
                        System.getProperty("java.class.path"),
                        "dev.prefix4j.cli.Main",
                        "data",
                        "--format",
                        format,
                        "--data",
                        file.toString(),
                        "--out",
                        temporary.resolve("out.jsonl").toString())
                .redirectErrorStream(true)
                .redirectOutput(log.toFile())
                .start();
        assertTrue(process.waitFor(5, TimeUnit.MINUTES), "it ends");
        String text = Files.readString(log);
        assertEquals(1, process.exitValue(), text);
        assertEquals(1, text.lines().count(), text);
        assertTrue(text.startsWith("prefix4j: " + file + ":") && text.contains(expected), text);
    }

    private Path packed(String name, String row) throws IOException {
        Path file = temporary.resolve(name);
        byte[] rows = row.repeat(1 << 10).getBytes(StandardCharsets.UTF_8);
        try (OutputStream out = new BufferedOutputStream(new GZIPOutputStream(Files.newOutputStream(file)))) {
            if (name.contains(".csv")) {
                out.write("mr,ref\n".getBytes(StandardCharsets.UTF_8));
            } else if (name.contains(".xml")) {
                out.write("<benchmark><entries>".getBytes(StandardCharsets.UTF_8));
            }
            for (int i = 0; i < 1 << 11; i++) { // two million rows
                out.write(rows);
            }
        }
        return file;
    }
}
