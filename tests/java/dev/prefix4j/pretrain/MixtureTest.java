package dev.prefix4j.pretrain;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.prefix4j.InputException;
import dev.prefix4j.pretrain.Mixture.Part;
import dev.prefix4j.text.BpeTrainer;
import dev.prefix4j.text.Documents;
import dev.prefix4j.text.Example;
import dev.prefix4j.text.Tokenizer;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.SplittableRandom;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class MixtureTest {
    private static final int LENGTH = 64;

    @TempDir
    Path folder;

    private Tokenizer tokenizer;
    private TokenCorpus corpus;

    /** Documents of made-up sentences, among them names within sentences. */
    static Path text(Path folder) throws IOException {
        SplittableRandom random = new SplittableRandom(5);
        List<String> words = List.of(
                "river", "stone", "quiet", "lantern", "carries", "Morning", "village", "under", "twelve", "Harbour",
                "slowly", "garden", "winter", "bridge", "Anna", "across", "the", "old", "mill", "and");
        StringBuilder text = new StringBuilder();
        for (int document = 0; document < 20; document++) {
            for (int sentence = 0; sentence < 12; sentence++) {
                text.append("The");
                for (int word = random.nextInt(6, 14); word > 0; word--) {
                    text.append(' ').append(Lexicon.pick(words, random));
                }
                text.append(sentence % 4 == 3 ? ".\n\n" : ". ");
            }
            text.append("\n").append(Documents.SEPARATOR).append('\n');
        }
        return Files.writeString(folder.resolve("text.txt"), text);
    }

    @BeforeEach
    void encode() throws IOException {
        Path text = text(folder);
        BpeTrainer trainer = new BpeTrainer();
        Documents.read(text, trainer::add);
        trainer.write(folder.resolve("tokenizer.json"), 340);
        tokenizer = Tokenizer.load(folder);
        corpus = TokenCorpus.encode(List.of(text), tokenizer, 0, folder.resolve("tokens.safetensors"));
    }

    @AfterEach
    void close() {
        corpus.close();
        tokenizer.close();
    }

    private Mixture mixture(String shares, long seed) {
        return new Mixture(corpus, tokenizer, 0, Mixture.parse(shares), LENGTH, seed);
    }

    @Test
    void theCorpusHoldsTheDocuments() throws IOException {
        List<String> documents = new ArrayList<>();
        Documents.read(folder.resolve("text.txt"), documents::add);
        assertEquals(documents.size(), corpus.documents());
        for (int i = 0; i < documents.size(); i++) {
            int[] ids = corpus.slice(corpus.start(i), (int) (corpus.end(i) - corpus.start(i)));
            assertEquals(0, ids[ids.length - 1]);
            assertEquals(documents.get(i), tokenizer.decode(Arrays.copyOf(ids, ids.length - 1)));
        }
        assertEquals(documents.stream().mapToLong(String::length).sum(), corpus.bytes()); // ASCII
    }

    @Test
    void proseReadsEveryTokenOnceInAnEpochInItsOwnOrder() {
        Mixture mixture = mixture("prose=1", 3);
        int rows = (int) (corpus.tokens() / LENGTH);
        List<Integer> read = new ArrayList<>();
        int previous = -1;
        for (int i = 0; i < rows; i++) {
            Row row = mixture.row(i);
            assertEquals(LENGTH + 1, row.ids().length);
            if (i > 0) { // the first token is the last target of the row before
                assertEquals(previous, row.ids()[0]);
            }
            previous = row.ids()[LENGTH];
            for (int t = 0; t < LENGTH; t++) {
                read.add(row.ids()[t]);
                assertTrue(row.scored()[t]);
            }
        }
        List<Integer> all = new ArrayList<>();
        Arrays.stream(corpus.slice(0, (int) corpus.tokens())).forEach(all::add);
        int rest = all.size() - read.size();
        assertTrue(rest < LENGTH);
        assertFalse(all.subList(0, LENGTH).equals(read.subList(0, LENGTH)), "documents are shuffled");
        Collections.sort(all);
        Collections.sort(read);
        Set<Integer> unseen = new HashSet<>(all);
        unseen.removeAll(read);
        assertTrue(unseen.size() <= rest);
        assertFalse(
                Arrays.equals(mixture.row(0).ids(), mixture.row(rows + 1).ids()), "the next epoch has another order");
    }

    @Test
    void aRowDependsOnItsNumberAndTheSeedAlone() {
        String shares = "prose=0.4,repeats=0.2,sentences=0.2,facts=0.2";
        Mixture forward = mixture(shares, 3);
        Mixture backward = mixture(shares, 3);
        List<Row> rows = new ArrayList<>();
        for (int i = 0; i < 60; i++) {
            rows.add(forward.row(i));
        }
        for (int i = 59; i >= 0; i--) {
            assertArrayEquals(rows.get(i).ids(), backward.row(i).ids());
            assertArrayEquals(rows.get(i).scored(), backward.row(i).scored());
        }
        assertFalse(Arrays.equals(rows.get(1).ids(), mixture(shares, 4).row(1).ids()));
    }

    @Test
    void sharesAreKept() {
        Mixture mixture = mixture("prose=0.25,facts=0.75", 1);
        int prose = 0;
        for (int i = 0; i < 400; i++) {
            boolean all = true;
            for (boolean scored : mixture.row(i).scored()) {
                all &= scored;
            }
            prose += all ? 1 : 0;
        }
        assertEquals(100, prose);
        assertEquals(100.0 * LENGTH / corpus.tokens(), mixture.epochs(400), 1e-9);
    }

    @Test
    void onlyTheRepetitionIsScored() {
        SplittableRandom random = new SplittableRandom(2);
        for (int i = 0; i < 50; i++) {
            RowBuilder builder = new RowBuilder(1000);
            new Repeats(corpus, tokenizer.vocabularySize(), 0).fill(builder, random);
            Row row = builder.build();
            int length = 0;
            while (!row.scored()[length]) {
                length++;
            }
            // passage, end, passage, end: token length + 1 is the first that is scored
            for (int t = 0; t < length; t++) {
                assertEquals(row.ids()[t], row.ids()[length + 1 + t]);
            }
            assertEquals(0, row.ids()[length]);
            assertTrue(row.scored()[2 * length]);
            assertFalse(row.scored()[2 * length + 1]);
        }
    }

    private static List<String> values(String source) {
        List<String> values = new ArrayList<>();
        for (String field : source.split(" \\| ")) {
            values.add(field.substring(field.indexOf(" : ") + 3));
        }
        return values;
    }

    @Test
    void sentencesHoldWhatTheirRecordsSay() {
        SentenceRecords records = new SentenceRecords(corpus, tokenizer, new Lexicon(corpus, tokenizer, 1));
        SplittableRandom random = new SplittableRandom(8);
        int checked = 0;
        for (int i = 0; i < 300; i++) {
            Example example = records.apply(random);
            if (example.source().matches("[^|\\[\\];=:]+ : .*")) { // written with bars
                for (String value : values(example.source())) {
                    assertTrue(example.targets().getFirst().contains(value), example.toString());
                }
                checked++;
            }
        }
        assertTrue(checked > 100, "checked " + checked);
    }

    @Test
    void factsStateTheirRecords() {
        FactRecords records = new FactRecords(new Lexicon(corpus, tokenizer, 1));
        SplittableRandom random = new SplittableRandom(8);
        int checked = 0;
        for (int i = 0; i < 2000; i++) {
            Example example = records.apply(random);
            String target = example.targets().getFirst();
            assertTrue(target.endsWith("."), example.toString());
            if (example.source().contains(" : ") && !example.source().contains("[")) {
                String said = target.toLowerCase(java.util.Locale.ROOT);
                for (String value : values(example.source())) {
                    assertTrue(
                            value.equals("yes")
                                    || value.equals("no")
                                    || said.contains(value.toLowerCase(java.util.Locale.ROOT)),
                            value + " in " + example);
                }
                checked++;
            }
        }
        assertTrue(checked > 1000, "checked " + checked);
    }

    @Test
    void sharesThatAreNoneAreRefused() {
        assertEquals(Map.of(Part.PROSE, 0.5, Part.FACTS, 0.5), Mixture.parse("prose=0.5, facts=0.5"));
        assertEquals("prose=0.5,facts=0.5", Mixture.format(Mixture.parse("facts=0.5,prose=0.5")));
        for (String wrong : List.of("prose", "prose=1,prose=0", "poetry=1", "prose=two", "prose=-1,facts=2", "")) {
            assertTrue(assertThrows(InputException.class, () -> Mixture.parse(wrong))
                    .getMessage()
                    .startsWith("mixture: expected kinds with shares"));
        }
        assertEquals(
                "mixture: expected shares that sum to 1, found 0.5",
                assertThrows(InputException.class, () -> Mixture.parse("prose=0.5"))
                        .getMessage());
    }
}
