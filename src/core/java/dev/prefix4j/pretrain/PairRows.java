package dev.prefix4j.pretrain;

import dev.prefix4j.text.Example;
import dev.prefix4j.text.Sequence;
import dev.prefix4j.text.Sequences;
import dev.prefix4j.text.Tokenizer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import java.util.function.Function;

/** Pairs of a record and a text, in the layout of training: source, BOS, target, EOS. */
final class PairRows implements Mixture.RowSource {
    /** Rows encoded at once: a tokenizer call costs more than the encoding itself. */
    private static final int BATCH = 6;

    private final Function<SplittableRandom, Example> pairs;
    private final Tokenizer tokenizer;
    private final int eos;

    PairRows(Function<SplittableRandom, Example> pairs, Tokenizer tokenizer, int eos) {
        this.pairs = pairs;
        this.tokenizer = tokenizer;
        this.eos = eos;
    }

    @Override
    public void fill(RowBuilder row, SplittableRandom random) {
        List<Example> batch = new ArrayList<>();
        for (int i = 0; i < BATCH; i++) {
            batch.add(pairs.apply(random));
        }
        for (Sequence sequence : Sequences.encode(batch, tokenizer, eos, eos)) {
            row.add(Arrays.copyOf(sequence.ids(), sequence.sourceLength()), false);
            row.add(Arrays.copyOfRange(sequence.ids(), sequence.sourceLength(), sequence.ids().length), true);
        }
    }
}
