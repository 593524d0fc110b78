package dev.prefix4j.train;

import dev.prefix4j.text.Sequence;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.List;
import java.util.Random;

/**
 * The order of the data: shuffled anew each epoch by the seed only, so that a resumed run finds its place; grouped by
 * length on request, for less padding.
 */
final class Batches {
    /** Batches whose sequences are sorted by length together: enough for tight groups, few enough to stay random. */
    private static final int POOL = 50;

    private final List<Sequence> sequences;
    private final int batchSize;
    private final long seed;
    private final Order order;
    private int epoch = -1;
    private List<List<Sequence>> current = List.of();

    private enum Order {
        AS_GIVEN,
        SHUFFLED,
        SHUFFLED_BY_LENGTH
    }

    private Batches(List<Sequence> sequences, int batchSize, long seed, Order order) {
        this.sequences = List.copyOf(sequences);
        this.batchSize = batchSize;
        this.seed = seed;
        this.order = order;
    }

    /** @param byLength whether batches hold sequences of similar length */
    static Batches shuffled(List<Sequence> sequences, int batchSize, long seed, boolean byLength) {
        return new Batches(sequences, batchSize, seed, byLength ? Order.SHUFFLED_BY_LENGTH : Order.SHUFFLED);
    }

    /** In the data's own order, in every epoch. */
    static Batches inOrder(List<Sequence> sequences, int batchSize) {
        return new Batches(sequences, batchSize, 0, Order.AS_GIVEN);
    }

    /** Batches in an epoch; the last may be smaller. */
    int perEpoch() {
        return Math.ceilDiv(sequences.size(), batchSize);
    }

    /** The n-th batch of a run, from 0. */
    List<Sequence> get(long n) {
        int wanted = Math.toIntExact(n / perEpoch());
        if (wanted != epoch) {
            current = order == Order.AS_GIVEN ? cut(sequences) : shuffle(wanted);
            epoch = wanted;
        }
        return current.get((int) (n % perEpoch()));
    }

    private List<List<Sequence>> shuffle(int epoch) {
        Random random = new Random(seed * 1_000_003 + epoch);
        List<Sequence> shuffled = new ArrayList<>(sequences);
        Collections.shuffle(shuffled, random);
        if (order == Order.SHUFFLED) {
            return cut(shuffled);
        }
        List<List<Sequence>> batches = new ArrayList<>();
        for (int from = 0; from < shuffled.size(); from += POOL * batchSize) {
            List<Sequence> pool = shuffled.subList(from, Math.min(from + POOL * batchSize, shuffled.size()));
            pool.sort(Comparator.comparingInt(s -> s.ids().length));
            batches.addAll(cut(pool));
        }
        Collections.shuffle(batches, random);
        return batches;
    }

    private List<List<Sequence>> cut(List<Sequence> order) {
        List<List<Sequence>> batches = new ArrayList<>();
        for (int i = 0; i < order.size(); i += batchSize) {
            batches.add(order.subList(i, Math.min(i + batchSize, order.size())));
        }
        return batches;
    }
}
