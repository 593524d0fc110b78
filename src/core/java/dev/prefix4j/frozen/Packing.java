package dev.prefix4j.frozen;

import dev.prefix4j.kernels.Attention;
import java.util.List;
import java.util.Optional;

/**
 * How the rows of a pass are divided into sequences in a layer's attention, and what each sequence sees besides itself.
 *
 * @param heads of queries and keys
 * @param scale of the scores
 * @param offsets [B+1], of the keys: sequence b has the rows from offsets[b] to offsets[b+1]
 * @param queries which rows have queries; absent: all
 * @param seen [B], in the order in which they precede the sequence's own keys
 */
record Packing(
        Attention.Heads heads,
        double scale,
        int layer,
        long[] offsets,
        Optional<Queries> queries,
        List<List<Segment>> seen) {
    /**
     * The rows with queries, where not all have one.
     *
     * @param offsets [B+1], of the queries
     * @param positions int32 [rows of q], of each query within its sequence
     */
    record Queries(long[] offsets, int[] positions) {}

    /** Row of the first query of a sequence; for sequence B, the number of queries. */
    long firstQuery(int sequence) {
        return queries.map(q -> q.offsets()[sequence]).orElse(offsets[sequence]);
    }

    /** Position of a query row within its sequence. */
    int position(int sequence, int row) {
        return queries.map(q -> q.positions()[row]).orElse((int) (row - offsets[sequence]));
    }

    /** What a sequence sees in this layer. */
    List<Segment> seen(int sequence) {
        return Sight.inLayer(seen.get(sequence), layer);
    }

    int sequences() {
        return offsets.length - 1;
    }
}
