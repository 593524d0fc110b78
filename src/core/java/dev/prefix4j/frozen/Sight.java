package dev.prefix4j.frozen;

import dev.prefix4j.kernels.Attention;
import java.util.List;

/**
 * What rows with one query each attend to in a layer.
 *
 * @param heads of queries and keys
 * @param scale of the scores
 * @param seen [R], all in the same {@link Stored}
 */
record Sight(Attention.Heads heads, double scale, int layer, List<List<Segment>> seen) {
    int rows() {
        return seen.size();
    }

    /** What a row sees in this layer. */
    List<Segment> seen(int row) {
        return inLayer(seen.get(row), layer);
    }

    static List<Segment> inLayer(List<Segment> segments, int layer) {
        for (Segment segment : segments) {
            if (!segment.inLayer(layer)) {
                return segments.stream().filter(s -> s.inLayer(layer)).toList();
            }
        }
        return segments;
    }
}
