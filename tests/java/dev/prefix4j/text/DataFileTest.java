package dev.prefix4j.text;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.prefix4j.InputException;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;
import java.util.zip.GZIPOutputStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class DataFileTest {
    static final String CSV = "mr,ref\n\"name[The Mill], area[city centre]\",\"A \"\"good\"\" place,\nreally.\"\n"
            + "name[Zizzi],Zizzi is here.\n";
    static final String XML = """
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
    static final String DART =
            "[{\"tripleset\": [[\"Soup\", \"IS_A\", \"Dish\"], [\"Soup\", \"TASTE\", \"good\"]], \"annotations\":"
                    + " [{\"source\": \"x\", \"text\": \"Soup is good.\"}, {\"source\": \"y\", \"text\": \"Good"
                    + " soup.\"}]}]";

    @TempDir
    Path temporary;

    private Path file(String name, String text) throws IOException {
        return Files.writeString(temporary.resolve(name), text);
    }

    static List<Example> read(Path file) {
        return DataFile.read(file, DataOptions.DEFAULTS);
    }

    static void expect(Example example, String source, String... targets) {
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
    void rowsAfterTheLimitAreNotRead() throws IOException {
        Path file = file("a.csv", "mr,ref\nname[A],one\nbroken\n");
        assertEquals(1, DataFile.read(file, DataOptions.DEFAULTS.withLimit(1)).size());
        assertThrows(InputException.class, () -> read(file));
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
    void equalSourcesBecomeOneWhereverTheyAre() {
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
}
