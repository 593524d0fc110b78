package dev.prefix4j.frozen;

import java.util.Optional;

/**
 * How rows belong to sequences in attention.
 *
 * @param heads H
 * @param scale of the scores
 * @param offsets [B+1], of the keys: sequence b has the rows from offsets[b] to offsets[b+1]
 * @param queries which rows ask; absent: all
 * @param prefixFrom [B], position in its sequence of the first row that sees the prefix; absent: all rows do
 */
record Packing(int heads, double scale, long[] offsets, Optional<Queries> queries, Optional<long[]> prefixFrom) {
    /**
     * Some of the rows.
     *
     * @param offsets [B+1], of the queries
     * @param positions int32 [rows of q], of each in its own sequence
     */
    record Queries(long[] offsets, int[] positions) {}

    /** Row of the first query of a sequence; that of sequence B is the number of queries. */
    long firstQuery(int sequence) {
        return queries.map(q -> q.offsets()[sequence]).orElse(offsets[sequence]);
    }

    /** Position in its sequence of a query row of it. */
    int position(int sequence, int row) {
        return queries.map(q -> q.positions()[row]).orElse((int) (row - offsets[sequence]));
    }

    /** Whether a query row of a sequence sees the prefix. */
    boolean seesPrefix(int sequence, int row) {
        return prefixFrom.isEmpty() || position(sequence, row) >= prefixFrom.get()[sequence];
    }

    int sequences() {
        return offsets.length - 1;
    }
}
