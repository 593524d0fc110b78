package dev.prefix4j.pretrain;

import java.util.SplittableRandom;

/** Rows of a token sequence followed by itself. */
final class Repeats implements Mixture.RowSource {
    private static final int SHORTEST = 8;
    private static final int LONGEST = 96;

    private final TokenCorpus corpus;
    private final int vocabulary;
    private final int eos;

    Repeats(TokenCorpus corpus, int vocabulary, int eos) {
        this.corpus = corpus;
        this.vocabulary = vocabulary;
        this.eos = eos;
    }

    @Override
    public void fill(RowBuilder row, SplittableRandom random) {
        int length = random.nextInt(SHORTEST, LONGEST);
        int[] passage;
        if (random.nextBoolean()) {
            passage = random.ints(length, 0, vocabulary)
                    .map(id -> id == eos ? (id + 1) % vocabulary : id)
                    .toArray();
        } else {
            passage = corpus.slice(random.nextLong(Math.max(1, corpus.tokens() - length)), length);
        }
        int[] end = {eos};
        row.add(passage, false);
        row.add(end, false);
        row.add(passage, true);
        row.add(end, true);
    }
}
