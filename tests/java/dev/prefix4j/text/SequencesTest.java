package dev.prefix4j.text;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;

class SequencesTest {
    private static final Path MODEL = Path.of("tests/resources/model");
    private static final int BOS = 0;
    private static final int EOS = 299;

    private static Example pair(String source, String target) {
        return new Example(source, List.of(target), "f:1");
    }

    @Test
    void aPairIsSourceBosSpaceTargetEos() {
        try (Tokenizer tokenizer = Tokenizer.load(MODEL)) {
            Sequence sequence = Sequences.encode(List.of(pair("name : The Mill", "It is cheap.")), tokenizer, BOS, EOS)
                    .getFirst();
            int[] source = tokenizer.encode("name : The Mill");
            int[] target = tokenizer.encode(" It is cheap.");
            int[] ids = sequence.ids();
            assertArrayEquals(source, Arrays.copyOf(ids, source.length));
            assertEquals(BOS, ids[source.length]);
            assertArrayEquals(target, Arrays.copyOfRange(ids, source.length + 1, ids.length - 1));
            assertEquals(EOS, ids[ids.length - 1]);
            assertEquals(source.length + 1, sequence.sourceLength());
        }
    }

    @Test
    void aSequenceBeginsWithItsPrompt() {
        try (Tokenizer tokenizer = Tokenizer.load(MODEL)) {
            Sequence sequence = Sequences.encode(List.of(pair("naïve 🍜", "x")), tokenizer, BOS, EOS)
                    .getFirst();
            assertArrayEquals(
                    Sequences.prompt("naïve 🍜", tokenizer, BOS),
                    Arrays.copyOf(sequence.ids(), sequence.sourceLength()));
        }
    }

    @Test
    void manyPairsKeepTheirOrder() {
        try (Tokenizer tokenizer = Tokenizer.load(MODEL)) {
            List<Example> pairs = new ArrayList<>();
            for (int i = 0; i < 2500; i++) { // more than two batches of the tokenizer
                pairs.add(pair("source " + i, "target " + "t".repeat(i % 7)));
            }
            List<Sequence> sequences = Sequences.encode(pairs, tokenizer, BOS, EOS);
            assertEquals(pairs.size(), sequences.size());
            for (int i = 0; i < pairs.size(); i += 499) {
                assertEquals(
                        Sequences.encode(List.of(pairs.get(i)), tokenizer, BOS, EOS)
                                .getFirst(),
                        sequences.get(i));
            }
        }
    }

    @Test
    void lossIsOnTargetAndEosOnly() {
        // Sources of 2 and 1 ids with BOS; targets {7, EOS} and {8, 9, EOS}.
        TokenBatch batch = TokenBatch.of(
                List.of(new Sequence(new int[] {5, BOS, 7, EOS}, 2), new Sequence(new int[] {BOS, 8, 9, EOS}, 1)), 0);
        assertArrayEquals(new long[] {7, EOS, 8, 9, EOS}, batch.targets());
        assertArrayEquals(new long[] {1, 2, 4, 5, 6}, batch.positions());
    }

    @Test
    void theEndCountsInTheLossWhereItIsThePaddingToo() {
        TokenBatch batch = TokenBatch.of(
                List.of(new Sequence(new int[] {5, BOS, 7, EOS}, 2), new Sequence(new int[] {BOS, 8, EOS}, 1)), EOS);
        assertArrayEquals(new long[] {7, EOS, 8, EOS}, batch.targets());
    }

    @Test
    void refusesASequenceWithoutATarget() {
        assertThrows(IllegalArgumentException.class, () -> new Sequence(new int[] {1, BOS}, 2));
        assertThrows(IllegalArgumentException.class, () -> new Sequence(new int[] {1, BOS}, 0));
    }
}
