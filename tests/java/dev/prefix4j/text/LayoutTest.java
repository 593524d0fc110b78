package dev.prefix4j.text;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The layouts, each as written down in docs/recipes.md. */
class LayoutTest {
    private static final String ENTRY = """
        <entry category="Food" eid="Id1" size="2"><modifiedtripleset><mtriple>A | Rel | B</mtriple>\
        <mtriple>C | Rel | D</mtriple></modifiedtripleset><lex comment="good" lid="Id1">Text.</lex></entry>
        """;

    @TempDir
    Path folder;

    private List<String> sources(Path file, DataFormat format, Layout layout) {
        DataOptions options = new DataOptions(Optional.of(format), "source", "target", Integer.MAX_VALUE, layout);
        return DataFile.read(file, options).stream().map(Example::source).toList();
    }

    @Test
    void webNlg() throws IOException {
        Path file = Files.writeString(
                folder.resolve("x.xml"), "<benchmark><entries>" + ENTRY + ENTRY + "</entries></benchmark>");
        String clean = "A : Rel : B | C : Rel : D";
        assertEquals(List.of(clean, clean), sources(file, DataFormat.WEBNLG, Layout.CLEAN));
        String separated = "  | A : Rel : B | C : Rel : D ";
        assertEquals(List.of(separated, separated), sources(file, DataFormat.WEBNLG, Layout.AUTHORS_TRAINING));
        assertEquals(
                List.of(" A : Rel : BC : Rel : D ", separated),
                sources(file, DataFormat.WEBNLG, Layout.AUTHORS_DECODING));
        String dart = " A : rel : B | C : rel : D ";
        assertEquals(List.of(clean, clean), sources(file, DataFormat.DART, Layout.CLEAN));
        assertEquals(List.of(dart, dart), sources(file, DataFormat.DART, Layout.AUTHORS_TRAINING));
        assertEquals(List.of(dart, dart), sources(file, DataFormat.DART, Layout.AUTHORS_DECODING));
    }

    @Test
    void dartAsXmlIsFoundByItsOnlyCategory() throws IOException {
        Path file = Files.writeString(
                folder.resolve("x.xml"),
                "<benchmark><entries>" + ENTRY.replaceFirst("category=\"[^\"]*\"", "category=\"MISC\"")
                        + "</entries></benchmark>");
        DataOptions options =
                new DataOptions(Optional.empty(), "source", "target", Integer.MAX_VALUE, Layout.AUTHORS_TRAINING);
        assertEquals(
                " A : rel : B | C : rel : D ",
                DataFile.read(file, options).getFirst().source());
    }

    @Test
    void dartAsJson() throws IOException {
        Path file = Files.writeString(
                folder.resolve("x.json"),
                "[{\"tripleset\": [[\"A\", \"HAS REL\", \"B\"], [\"C\", \"R\", \"D\"]], \"annotations\": [{\"text\":"
                        + " \"T.\"}]}]");
        assertEquals(List.of("A : HAS REL : B | C : R : D"), sources(file, DataFormat.DART, Layout.CLEAN));
        assertEquals(List.of(" A : has rel : B | C : r : D "), sources(file, DataFormat.DART, Layout.AUTHORS_TRAINING));
    }

    @Test
    void e2e() throws IOException {
        Path file = Files.writeString(folder.resolve("x.csv"), "mr,ref\nname[The Mill],It is.\n");
        assertEquals(List.of("name : The Mill"), sources(file, DataFormat.E2E, Layout.CLEAN));
        assertEquals(List.of(" name : The Mill "), sources(file, DataFormat.E2E, Layout.AUTHORS_TRAINING));
        assertEquals(List.of(" name : The Mill "), sources(file, DataFormat.E2E, Layout.AUTHORS_DECODING));
    }

    @Test
    void theSpacesBeforeBosAndEosAreTokens() {
        try (Tokenizer tokenizer = Tokenizer.load(Path.of("tests/resources/model"))) {
            Example pair = new Example(" name : The Mill ", List.of("It is."), "f:1");
            int[] ids = Sequences.encode(List.of(pair), tokenizer, 0, 299, Layout.AUTHORS_TRAINING)
                    .getFirst()
                    .ids();
            int space = tokenizer.encode(" ")[0];
            int[] expected = IntStream.of(ints(
                            tokenizer.encode(" name : The Mill"), space, 0, tokenizer.encode(" It is."), space, 299))
                    .toArray();
            assertArrayEquals(expected, ids);
        }
    }

    private static int[] ints(Object... parts) {
        return java.util.Arrays.stream(parts)
                .flatMapToInt(part -> part instanceof int[] many ? IntStream.of(many) : IntStream.of((Integer) part))
                .toArray();
    }

    @Test
    void samplesAreDrawnOnceAndKeepTheirOrder() {
        List<Example> all = IntStream.range(0, 50)
                .mapToObj(i -> Example.ofSource("s" + (100 + i), "f:" + i))
                .toList();
        List<Example> some = Example.sample(all, 20, 1);
        assertEquals(some, Example.sample(all, 20, 1));
        assertEquals(20, some.stream().map(Example::source).distinct().count());
        assertEquals(
                some.stream().map(Example::source).sorted().toList(),
                some.stream().map(Example::source).toList());
        assertEquals(all, Example.sample(all, 50, 1));
        org.junit.jupiter.api.Assertions.assertNotEquals(some, Example.sample(all, 20, 2));
    }
}
