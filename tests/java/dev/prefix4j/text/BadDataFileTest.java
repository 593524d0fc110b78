package dev.prefix4j.text;

import static dev.prefix4j.text.DataFileTest.CSV;
import static dev.prefix4j.text.DataFileTest.DART;
import static dev.prefix4j.text.DataFileTest.XML;
import static dev.prefix4j.text.DataFileTest.expect;
import static dev.prefix4j.text.DataFileTest.read;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.prefix4j.InputException;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.zip.GZIPOutputStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Data files that are refused. */
class BadDataFileTest {
    @TempDir
    Path temporary;

    private Path file(String name, String text) throws IOException {
        return Files.writeString(temporary.resolve(name), text);
    }

    @ParameterizedTest
    @CsvSource(
            quoteCharacter = '`',
            value = {
                "PAR1\u0015\u0004, a Parquet file: convert it with Python",
                "ARROW1\u0001, an Arrow file: convert it",
                "BZh91AY&SY, bzip2 data: unpack it",
                "PK\u0003\u0004x, a zip archive: unpack it",
                "version https://git-lfs.github.com/spec/v1, a Git LFS pointer",
                "<!DOCTYPE html>, an HTML page",
            })
    void saysWhatAFileIsThatHoldsNoRows(String start, String found) throws IOException {
        Path file = file("a.tsv", start + "\tx\n");
        InputException e = assertThrows(InputException.class, () -> read(file));
        assertTrue(e.getMessage().startsWith(file + ": expected rows of text, found " + found), e.getMessage());
    }

    @ParameterizedTest
    @CsvSource(
            delimiterString = " => ",
            value = {
                "mr,text\\n"
                        + "name[A],one => a.csv:1: expected the columns mr and ref, or meaning_representation and"
                        + " human_reference, found mr,text",
                "mr,ref\\nname[A] => a.csv:2: expected 2 columns, found 1",
                "mr,ref\\nname,one => a.csv:2: column 'mr': expected name[value]",
                "mr,ref\\n"
                        + "name[A] near[B,one => a.csv:2: column 'mr': expected name[value], …, found 'near[B' after"
                        + " 'name[A]'",
                "mr,ref\\n,one => a.csv:2: column 'mr': expected name[value], …, found none",
                "mr,ref\\nname[A], => a.csv:2: column 'ref': expected a text, found none",
                "mr,ref\\nname[A],\"one => a.csv:2: expected the closing quote of the field that began in line 2",
                "mr,ref\\nname[A],\"one\"two => a.csv:2: expected a comma after a closing quote",
                "mr,ref => expected at least one example, found none",
                "{\"source\": \"a\"\\n => a.csv:1: expected a JSON object, found invalid JSON",
                "{\"source\": \"a\", \"target\": 3} => a.csv:1: expected a string or a list of strings in field"
                        + " 'target', found 3",
                "{\"source\": \"a\", \"source\": \"b\"} => a.csv:1: expected a JSON object, found invalid JSON:"
                        + " Duplicate field 'source'",
                "{\"source\": [\"\"], \"target\": \"b\"} => a.csv:1: expected a field 'source', found a list without"
                        + " text",
                "{\"source\": \"a\", \"target\": [\"\"]} => a.csv:1: expected a text in field 'target', found an empty"
                        + " one",
                "{\"source\": \"\\ud800\", \"target\": \"b\"} => a.csv:1: expected Unicode text, found half of a"
                        + " surrogate pair",
                "{\"text\": \"a\"} => a.csv:1: expected a field 'source', found fields [text]: try --source-field text",
                "{\"source\": \" \", \"target\": \"b\"} => a.csv:1: expected a text in field 'source', found an empty"
                        + " one",
                "a\\tb\\tc => a.csv:1: expected 2 columns, source and target, separated by a tab, found 3",
                "a\\tb\\na\\t => a.csv:2: expected a source and a target, found no target",
                "[{\"tripleset\": [[\"a\", \"b\"]]}] => a.csv:1: entry 1: key 'tripleset': expected a triple of texts,"
                        + " found a list of 2",
                "[{\"tripleset\": []}] => expected at least one triple, found none",
                "[{\"tripleset\": [[\"a\", \"b\", \"c\"]], \"annotations\": [{}]}] => key 'annotations': expected an"
                        + " object with a 'text', found one without",
                "[{\"tripleset\": [[\"a\", null, \"c\"]]}] => key 'tripleset': expected a triple of texts, found"
                        + " 'null'",
                "[{\"tripleset\": [[\"a\", {}, \"c\"]]}] => key 'tripleset': expected a triple of texts, found '{'",
                "[{\"annotations\": {\"text\": \"t\"}}] => key 'annotations': expected a list of strings as 'text',"
                        + " found 't'",
                "[{\"annotations\": [{\"text\": 5}]}] => key 'annotations': expected a string as 'text', found '5'",
                "[{\"tripleset\": [], \"tripleset\": []}] => invalid JSON: Duplicate field 'tripleset'",
                "[{\"tripleset\": [[\"a\", \"b\", \"c\"]]}] {} => a.csv:1: expected the end of the file after the"
                        + " list, found '{'",
                "[1, 2] => a.csv:1: expected a JSON object, found '1'",
                "[{\"tripleset\": => invalid JSON",
                "<html></html> => a.csv: expected rows of text, found an HTML page",
                "<other></other> => a.csv:1: expected the element <benchmark> of WebNLG or DART, found <other>",
                "<benchmark><entries><entry eid=\"Id9\"><mtriple>a | b</mtriple></entry> => a.csv:1: entry Id9:"
                        + " <mtriple>: expected subject | predicate | object",
                "<benchmark><entries><entry></entry> => expected at least one <mtriple>, found none",
                "<benchmark><entries> => a.csv:1: invalid XML",
                "<!DOCTYPE b [<!ENTITY x SYSTEM \"file:///etc/passwd\">]><benchmark>&x;</benchmark> => expected no"
                        + " document type declaration, found one",
                "just some words => expected the header 'mr,ref' of E2E",
            })
    void namesFileAndRowOfWhatDoesNotFit(String text, String message) throws IOException {
        Path file = file("a.csv", text.replace("\\n", "\n").replace("\\t", "\t"));
        InputException e = assertThrows(InputException.class, () -> read(file));
        assertTrue(e.getMessage().contains(message), e.getMessage());
        assertTrue(e.getMessage().startsWith(file.toString()), e.getMessage());
        assertFalse(e.getMessage().contains("\n"), e.getMessage());
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "mr,ref\n\"no\nslots%s\",a\n",
                "[\"entry\\n%s\"]",
                "{\"a\\nb%s\": 1}",
                "{\"a%1$s\": 1, \"a%1$s\": 1}",
                "<benchmark><entry eid=\"a&#10;b%s\"/></benchmark>",
                "<benchmark><entry><mtriple>a\nb%s</mtriple></entry></benchmark>",
            })
    void messagesAreOneShortLineWhateverTheFileHolds(String text) throws IOException {
        Path file = file("a.csv", text.formatted("\u0085[31m" + "z".repeat(5000)));
        String message = assertThrows(InputException.class, () -> read(file)).getMessage();
        assertFalse(message.chars().anyMatch(Character::isISOControl), message);
        assertTrue(message.length() < file.toString().length() + 240, message);
    }

    @ParameterizedTest
    @CsvSource(
            delimiterString = " => ",
            value = {
                "a\\tb\\n | x => a line of at most",
                "mr,ref\\n\" | x => a line of at most",
                "{\"source\": \" | x => an entry of at most",
                "{\"source\": \"s\", \"z\": [0 | ,0 => a.gz:1: expected an entry of at most",
                "[{\"x\": [0 | ,0 => a.gz:1: expected an entry of at most",
                "<benchmark a=\" | x => expected an entry of at most",
                "<benchmark><entry><lex> | x => a.gz:1: expected an entry of at most",
            })
    void endsTheReadingOfWhatDoesNotEnd(String parts, String message) throws IOException {
        String[] headAndUnit = parts.replace("\\n", "\n").replace("\\t", "\t").split(" \\| ");
        Path file = temporary.resolve("a.gz");
        try (OutputStream out = new GZIPOutputStream(Files.newOutputStream(file))) {
            String unit = headAndUnit[1];
            out.write((headAndUnit[0] + unit.repeat((20 << 20) / unit.length())).getBytes(StandardCharsets.UTF_8));
        }
        InputException e = assertThrows(InputException.class, () -> read(file));
        assertTrue(e.getMessage().contains(message), e.getMessage());
    }

    @Test
    void onlyWebNlgMayBeAFolder() throws IOException {
        Path folder = Files.createDirectories(temporary.resolve("w.xml"));
        Files.createDirectories(folder.resolve("inner.xml"));
        file("w.xml/a.xml", XML);
        assertEquals(2, read(folder).size());
        InputException e = assertThrows(
                InputException.class, () -> DataFile.read(folder, DataOptions.DEFAULTS.withFormat(DataFormat.JSONL)));
        assertEquals(
                folder + ": expected a file of format jsonl, found a folder, which only webnlg allows", e.getMessage());
    }

    @Test
    void refusesOptionsThatMeanNothing() {
        assertEquals(
                "limit must be at least 1, was 0",
                assertThrows(InputException.class, () -> DataOptions.DEFAULTS.withLimit(0))
                        .getMessage());
        assertThrows(InputException.class, () -> new DataOptions(Optional.empty(), "", "target", 1, Layout.CLEAN));
        assertThrows(InputException.class, () -> DataFormat.parse("xls"));
    }

    @Test
    void refusesAnEmptyTarget() {
        InputException e = assertThrows(InputException.class, () -> new Example("s", List.of(" "), "f:3"));
        assertEquals("f:3: expected a target, found an empty one", e.getMessage());
    }

    @Test
    void refusesBytesThatAreNotText() throws IOException {
        Path file = Files.write(temporary.resolve("a.tsv"), new byte[] {'a', '\t', 'b', '\n', 'a', '\t', (byte) 0xff});
        InputException e = assertThrows(InputException.class, () -> read(file));
        assertEquals(file + ":2: expected UTF-8, found other bytes", e.getMessage());
        Files.write(file, new byte[] {'<', 'b', '>', (byte) 0xff});
        e = assertThrows(InputException.class, () -> read(file));
        assertEquals(file + ": expected UTF-8, found other bytes", e.getMessage());
    }

    @Test
    void damagedFilesGiveExamplesOrOneLineErrors() throws IOException {
        Random random = new Random(5);
        Path file = temporary.resolve("fuzz");
        String jsonl =
                "{\"source\": [\"One.\", \"Two.\"], \"target\": \"a\"}\n{\"source\": \"s\", \"target\": \"t\"}\n";
        for (String text : List.of(CSV, XML, DART, jsonl, "a\tb\nc\td\n")) {
            byte[] original = text.getBytes(StandardCharsets.UTF_8);
            for (int i = 0; i < 300; i++) {
                byte[] bytes = Arrays.copyOf(original, random.nextInt(original.length + 1));
                for (int n = random.nextInt(4); n > 0 && bytes.length > 0; n--) {
                    bytes[random.nextInt(bytes.length)] = (byte) random.nextInt(256);
                }
                Files.write(file, bytes);
                try {
                    assertFalse(read(file).isEmpty());
                } catch (InputException e) {
                    assertFalse(e.getMessage().isBlank());
                }
            }
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"null", "NaN", "1984", "\"\"", "[\"b\", \"\"]"})
    void aTargetThatIsNotTextIsRefusedWithItsRowWhereItIsRead(String target) throws IOException {
        Path file = file(
                "a.jsonl", "{\"source\": \"a\", \"target\": \"b\"}\n{\"source\": \"c\", \"target\": " + target + "}\n");
        String message = assertThrows(InputException.class, () -> read(file)).getMessage();
        assertTrue(message.startsWith(file + ":2: expected "), message);
        expect(DataFile.read(file, DataOptions.DEFAULTS.withoutTargets()).get(1), "c");
    }

    @Test
    void proposesTheFieldsThatAreThere() throws IOException {
        Path file = file("a.jsonl", "{\"id\": 1, \"document\": \"d\", \"summary\": \"s\"}");
        String message = assertThrows(InputException.class, () -> read(file)).getMessage();
        assertEquals(
                file + ":1: expected a field 'source', found fields [id, document, summary]:"
                        + " try --source-field document --target-field summary",
                message);
    }

    @ParameterizedTest
    @ValueSource(strings = {"x", ",", "]", "[", "x[y],", " x[", "\u00e9 ", "[]"})
    void longSlotsTakeTimeInProportion(String part) throws IOException {
        String mr = part.repeat(400_000 / part.length());
        Path file = file("a.csv", "mr,ref\n\"" + mr + "\",b\n");
        assertTimeoutPreemptively(Duration.ofSeconds(20), () -> {
            if (part.equals("x[y],")) {
                assertEquals(80_000, read(file).getFirst().source().split(" \\| ").length);
            } else {
                assertThrows(InputException.class, () -> read(file));
            }
        });
    }
}
