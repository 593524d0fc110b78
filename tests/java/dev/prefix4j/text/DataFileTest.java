package dev.prefix4j.text;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.prefix4j.InputException;
import java.io.ByteArrayOutputStream;
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
import java.util.stream.Stream;
import java.util.zip.GZIPOutputStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class DataFileTest {
    private static final String CSV =
            "mr,ref\n\"name[The Mill], area[city centre]\",\"A \"\"good\"\" place,\nreally.\"\n"
                    + "name[Zizzi],Zizzi is here.\n";
    private static final String XML = """
        <?xml version="1.0" encoding="UTF-8"?>
        <benchmark><entries>
          <entry category="Food" eid="Id1" size="2">
            <originaltripleset><otriple>Soup | was | hot</otriple></originaltripleset>
            <modifiedtripleset><mtriple>Soup | isA | Dish</mtriple><mtriple>Soup | taste | good &amp; hot</mtriple></modifiedtripleset>
            <lex comment="good" lid="Id1">Soup is a good dish.</lex>
            <lex comment="good" lid="Id2">A good and hot dish is soup.</lex>
          </entry>
          <entry category="Food" eid="Id2" size="1">
            <modifiedtripleset><mtriple>Bread | isA | Food</mtriple></modifiedtripleset>
            <lex comment="good" lid="Id1" />
          </entry>
        </entries></benchmark>
        """;
    private static final String DART =
            "[{\"tripleset\": [[\"Soup\", \"IS_A\", \"Dish\"], [\"Soup\", \"TASTE\", \"good\"]], \"annotations\":"
                    + " [{\"source\": \"x\", \"text\": \"Soup is good.\"}, {\"source\": \"y\", \"text\": \"Good"
                    + " soup.\"}]}]";

    @TempDir
    Path temporary;

    private Path file(String name, String text) throws IOException {
        return Files.writeString(temporary.resolve(name), text);
    }

    private static List<Example> read(Path file) {
        return DataFile.read(file, DataOptions.DEFAULTS);
    }

    private static void expect(Example example, String source, String... targets) {
        assertEquals(source, example.source());
        assertEquals(List.of(targets), example.targets());
    }

    @Test
    void readsTheCsvOfE2e() throws IOException {
        Path file = file("a.csv", CSV);
        List<Example> examples = read(file);
        assertEquals(2, examples.size());
        expect(examples.get(0), "name : The Mill | area : city centre", "A \"good\" place,\nreally.");
        expect(examples.get(1), "name : Zizzi", "Zizzi is here.");
        assertEquals(file + ":4", examples.get(1).location());
    }

    @ParameterizedTest
    @ValueSource(strings = {"UTF-16", "x-UTF-16LE-BOM"})
    void readsUtf16ByItsMark(String charset) throws IOException {
        Path file = temporary.resolve("a.csv");
        Files.write(file, "mr,ref\nname[Zür],Zür ist nah.\n".getBytes(java.nio.charset.Charset.forName(charset)));
        expect(read(file).getFirst(), "name : Zür", "Zür ist nah.");
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

    @Test
    void readsWebNlgAndDartXml() throws IOException {
        List<Example> examples = read(file("a.xml", XML));
        expect(
                examples.get(0),
                "Soup : isA : Dish | Soup : taste : good & hot",
                "Soup is a good dish.",
                "A good and hot dish is soup.");
        expect(examples.get(1), "Bread : isA : Food");
        assertEquals(
                examples, DataFile.read(temporary.resolve("a.xml"), DataOptions.DEFAULTS.withFormat(DataFormat.DART)));
    }

    @Test
    void readsAFolderOfWebNlgFilesInOrder() throws IOException {
        Files.createDirectories(temporary.resolve("w/b"));
        file("w/z.xml", XML);
        file("w/b/a.xml", XML.replace("Soup", "Stew"));
        List<Example> examples = read(temporary.resolve("w"));
        assertEquals(4, examples.size());
        assertTrue(examples.getFirst().source().startsWith("Stew"));
        assertEquals(
                3,
                DataFile.read(temporary.resolve("w"), DataOptions.DEFAULTS.withLimit(3))
                        .size());
    }

    @Test
    void readsTheJsonOfDart() throws IOException {
        expect(
                read(file("a.json", DART)).getFirst(),
                "Soup : IS_A : Dish | Soup : TASTE : good",
                "Soup is good.",
                "Good soup.");
    }

    @Test
    void readsJsonLinesWithListsAndOtherFields() throws IOException {
        Path file = file(
                "a.jsonl",
                "{\"source\": [\"One.\", \"Two.\"], \"target\": [\"a\", \"b\"]}\n\n"
                        + "{\"source\": \"s\", \"target\": \"t\"}\n");
        expect(read(file).get(0), "One. Two.", "a", "b");
        expect(read(file).get(1), "s", "t");
        Path other = file("b.jsonl", "{\"document\": \"d\", \"summary\": \"s\", \"id\": 3}");
        expect(
                DataFile.read(other, new DataOptions(Optional.empty(), "document", "summary", 9, Layout.CLEAN))
                        .getFirst(),
                "d",
                "s");
    }

    @Test
    void readsTabSeparatedLinesAndByteOrderMarks() throws IOException {
        List<Example> examples = read(file("a.tsv", "\uFEFFsource one\ttarget \"one\"\r\nsource two\ttarget two"));
        expect(examples.get(0), "source one", "target \"one\"");
        expect(examples.get(1), "source two", "target two");
    }

    @Test
    void readsCompressedFilesWhateverTheirName() throws IOException {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        try (GZIPOutputStream out = new GZIPOutputStream(bytes)) {
            out.write(CSV.getBytes(StandardCharsets.UTF_8));
        }
        Path file = Files.write(temporary.resolve("plain.csv"), bytes.toByteArray());
        assertEquals(2, read(file).size());
        Files.write(file, Arrays.copyOf(bytes.toByteArray(), bytes.size() - 12));
        InputException e = assertThrows(InputException.class, () -> read(file));
        assertEquals(file + ": the compressed data is truncated or corrupt", e.getMessage());
    }

    @Test
    void rowsBehindTheLimitAreNotLookedAt() throws IOException {
        Path file = file("a.csv", "mr,ref\nname[A],one\nbroken\n");
        assertEquals(1, DataFile.read(file, DataOptions.DEFAULTS.withLimit(1)).size());
        assertThrows(InputException.class, () -> read(file));
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
    void theNameTellsTsvFromJsonAndXml() throws IOException {
        for (String source : List.of("[TABLECONTEXT] : a : b", "{x}", "<x>")) {
            expect(read(file("a.tsv", source + "\tText.\n")).getFirst(), source, "Text.");
        }
        assertThrows(InputException.class, () -> read(file("a.txt", "{x}\tText.\n")));
    }

    @Test
    void everyFormatMayBeginWithAByteOrderMark() throws IOException {
        for (String text : List.of(CSV, XML, DART, "{\"source\": \"s\", \"target\": \"t\"}")) {
            assertEquals(read(file("a", text)), read(file("a", "\uFEFF" + text)));
        }
    }

    @Test
    void dartIsTheSameInJsonAndXml() throws IOException {
        Example json = read(file(
                        "a.json",
                        DART.replace("Soup is good.", " Soup is good. ").replace("]}]", ", {\"text\": \" \"}]}]")))
                .getFirst();
        expect(json, "Soup : IS_A : Dish | Soup : TASTE : good", "Soup is good.", "Good soup.");
    }

    @Test
    void leavesEmptySentencesOfASourceOut() throws IOException {
        expect(
                read(file("a.jsonl", "{\"source\": [\"One.\", \"\", \"Two.\"], \"target\": \"t\"}"))
                        .getFirst(),
                "One. Two.",
                "t");
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
    void refusesBytesThatAreNoText() throws IOException {
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

    @Test
    void writesJsonLinesThatReadTheSame() throws IOException {
        List<Example> examples = read(file("a.xml", XML)).subList(0, 1);
        Path out = temporary.resolve("out.jsonl");
        DataFile.writeJsonl(out, examples);
        expect(
                read(out).getFirst(),
                examples.getFirst().source(),
                examples.getFirst().targets().toArray(String[]::new));
        assertThrows(InputException.class, () -> DataFile.writeJsonl(temporary.resolve("no/such/folder"), examples));
        try (Stream<Path> files = Files.list(temporary)) {
            assertEquals(2, files.count());
        }
    }

    @Test
    void equalSourcesBecomeOneWhereverTheyStand() {
        List<Example> examples = List.of(
                new Example("a", List.of("1"), "f:1"),
                new Example("a", List.of("2"), "f:2"),
                new Example("b", List.of("3"), "f:3"),
                new Example("a", List.of("4"), "f:4"));
        List<Example> groups = Example.distinct(examples);
        assertEquals(
                List.of(new Example("a", List.of("1", "2", "4"), "f:1"), new Example("b", List.of("3"), "f:3")),
                groups);
        assertEquals(4, Example.pairs(groups).size());
        assertThrows(InputException.class, () -> Example.pairs(List.of(Example.ofSource("a", "f:1"))));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "meaning_representation,human_reference\n\"name[A], area[b]\",A is in b.\n",
                "MR,ref,fixed\n\"name[A], area[b]\",A is in b.,0\n",
                "mr;ref\nname[A], area[b];A is in b.\n",
                "mr\tref\nname[A], area[b]\tA is in b.\n",
            })
    void readsE2eUnderTheNamesAndSeparatorsThatPeopleHave(String csv) throws IOException {
        expect(read(file("a.csv", csv)).getFirst(), "name : A | area : b", "A is in b.");
    }

    @Test
    void readsTestSetsWithoutReferences() throws IOException {
        expect(read(file("a.csv", "MR\n\"name[A], area[b]\"\nname[C]\n")).getFirst(), "name : A | area : b");
        String entry = "<benchmark><entries><entry eid=\"1\"><modifiedtripleset><mtriple>a | b |"
                + " c</mtriple></modifiedtripleset></entry></entries></benchmark>";
        expect(read(file("a.xml", entry)).getFirst(), "a : b : c");
    }

    @Test
    void takesAQuoteWithinAFieldLiterally() throws IOException {
        expect(read(file("a.csv", "mr,ref\nname[A],A 5\" \"pipe\".\n")).getFirst(), "name : A", "A 5\" \"pipe\".");
    }

    @Test
    void targetsThatAreNotReadDoNotFail() throws IOException {
        DataOptions sources = DataOptions.DEFAULTS.withoutTargets();
        for (String text : List.of("mr,ref\nname : A,\n".replace("name : A", "name[A]"), "name : A\t\n")) {
            expect(DataFile.read(file("a.csv", text), sources).getFirst(), "name : A");
        }
    }

    private static final String LANGUAGES = "<benchmark><entries><entry eid=\"1\"><modifiedtripleset><mtriple>a | b |"
            + " c</mtriple></modifiedtripleset><lex lang=\"en\">One.</lex><lex"
            + " lang=\"ru\">Раз.</lex></entry><entry eid=\"2\"><modifiedtripleset><mtriple>d | e |"
            + " f</mtriple></modifiedtripleset><lex lang=\"ru\">Два.</lex></entry></entries></benchmark>";

    @Test
    void readsOneLanguageOfSeveralAndSaysWhich() throws IOException {
        Path file = file("a.xml", LANGUAGES);
        List<String> remarks = new java.util.ArrayList<>();
        DataOptions options = new DataOptions(
                Optional.empty(), "source", "target", 9, Layout.CLEAN, Optional.empty(), true, remarks::add);
        List<Example> english = DataFile.read(file, options);
        assertEquals(1, english.size());
        expect(english.getFirst(), "a : b : c", "One.");
        assertEquals(
                List.of(
                        file + ": texts in en, ru: only en is read (--lang selects another)",
                        file + ": 1 entries have no text in en and are skipped"),
                remarks);
        List<Example> russian = DataFile.read(file, DataOptions.DEFAULTS.withLanguage("ru"));
        assertEquals(
                List.of("Раз.", "Два."),
                Example.pairs(russian).stream().map(e -> e.targets().getFirst()).toList());
        InputException e =
                assertThrows(InputException.class, () -> DataFile.read(file, DataOptions.DEFAULTS.withLanguage("de")));
        assertEquals(file + ": expected texts in the language de, found en, ru (--lang selects one)", e.getMessage());
        Path neither = file("b.xml", LANGUAGES.replace("\"en\"", "\"br\""));
        assertThrows(InputException.class, () -> read(neither));
        expect(read(file("c.xml", LANGUAGES.replace("\"en\"", "\"ru\""))).getFirst(), "a : b : c", "One.", "Раз.");
    }

    @Test
    void readsTheEnrichedAndTheDelexicalizedReleases() throws IOException {
        String lex = "<lex comment=\"good\"><references><reference>A</reference></references><text>A is"
                + " c.</text><template>T</template></lex>";
        String enriched = "<benchmark><entries><entry eid=\"1\"><originaltripleset><otriple>x | y |"
                + " z</otriple></originaltripleset><modifiedtripleset><mtriple>a | b |"
                + " c</mtriple></modifiedtripleset>" + lex
                + "</entry></entries></benchmark>";
        expect(read(file("a.xml", enriched)).getFirst(), "a : b : c", "A is c.");
        expect(read(file("b.xml", enriched.replace("mtriple", "otriple"))).getFirst(), "a : b : c", "A is c.");
        Path without = file("c.xml", enriched.replace("text>", "txt>"));
        String message = assertThrows(InputException.class, () -> read(without)).getMessage();
        assertEquals(
                without + ":1: entry 1: <lex>: expected a text or the element <text>, found other elements", message);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "[\n{\"source\": \"a\", \"target\": \"b\"},\n{\"source\": \"c\", \"target\": \"d\"}\n]\n",
                "{\n\"source\": \"a\",\n\"target\": \"b\"\n}\n{\n\"source\": \"c\",\n\"target\": \"d\"\n}\n",
                "{\"version\": \"1.0\", \"data\": [{\"source\": \"a\", \"target\": \"b\"}, {\"source\": \"c\","
                        + " \"target\": \"d\"}]}",
            })
    void readsJsonHoweverTheRowsAreHeldTogether(String text) throws IOException {
        List<Example> examples = read(file("a.json", text));
        assertEquals(2, examples.size());
        expect(examples.get(0), "a", "b");
        expect(examples.get(1), "c", "d");
        assertEquals(
                1,
                DataFile.read(file("a.json", text), DataOptions.DEFAULTS.withLimit(1))
                        .size());
    }

    @Test
    void readsE2eInJsonUnderTheHubsNames() throws IOException {
        Path file = file(
                "a.jsonl", "{\"meaning_representation\": \"name[A], area[b]\", \"human_reference\": \"A is in b.\"}");
        expect(read(file).getFirst(), "name : A | area : b", "A is in b.");
        expect(
                DataFile.read(file, DataOptions.DEFAULTS.withFormat(DataFormat.JSONL))
                        .getFirst(),
                "name[A], area[b]",
                "A is in b.");
    }

    @Test
    void readsDartAsTheHubHasIt() throws IOException {
        String row = "{\"tripleset\": [[\"a\", \"b\", \"c\"]], \"annotations\": {\"source\": [\"x\", \"y\"], \"text\":"
                + " [\"One.\", \"Two.\"]}}";
        for (String text : List.of(row, "[" + row + "]", row + "\n" + row)) {
            expect(read(file("a.json", text)).getFirst(), "a : b : c", "One.", "Two.");
        }
        assertEquals(2, read(file("a.jsonl", row + "\n" + row)).size());
    }

    @ParameterizedTest
    @ValueSource(strings = {"null", "NaN", "1984", "\"\"", "[\"b\", \"\"]"})
    void aTargetThatIsNoTextIsRefusedWithItsRowWhereItIsRead(String target) throws IOException {
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
