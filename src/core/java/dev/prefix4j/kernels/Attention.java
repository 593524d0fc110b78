package dev.prefix4j.kernels;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * What the rows of a batch attend to: {@code p4j_attention}. Rows are described one by one: {@link #see} for each segment of a
 * row, then {@link #endRow}. It holds addresses; the tensors behind its {@link KeysValues} must stay open.
 */
public final class Attention {
    /**
     * The heads in the rows of queries and keys.
     *
     * @param queries heads of queries, H
     * @param keys heads of keys, Hk, each shared by H / Hk adjacent query heads
     * @param width of a head, D
     * @param rotary columns of a head that are rotated; 0: none
     */
    public record Heads(int queries, int keys, int width, int rotary) {
        public Heads {
            if (keys < 1
                    || width < 1
                    || queries < 1
                    || queries % keys != 0
                    || rotary < 0
                    || rotary > width
                    || rotary % 2 != 0) {
                throw new IllegalArgumentException("kernel: got %d heads of queries, %d of keys, width %d, rotary %d"
                        .formatted(queries, keys, width, rotary));
            }
        }
    }

    /** Groups of a class of rows times heads of keys: enough to keep this many threads busy. */
    private static final int PARTS = 32;

    private final Heads heads;
    private final double scale;
    private final boolean own;

    private long[] segments = new long[8 * KeysValues.FIELDS];
    private int count;
    private final List<KeysValues> alive = new ArrayList<>();

    private long[] segmentOffsets = new long[9];
    private long[] queryOffsets = new long[9];
    private int rows;
    private int[] positions = new int[8];
    private boolean positioned;

    /**
     * @param scale of the scores
     * @param own whether the last segment of each row is its own tokens, of which a query sees those up to its position
     */
    public Attention(Heads heads, double scale, boolean own) {
        this.heads = heads;
        this.scale = scale;
        this.own = own;
    }

    /** Adds all of the first layer as a segment of the row. */
    public void see(KeysValues of) {
        see(of, 0, 0, of.length(), 0);
    }

    /**
     * Adds a segment to the row.
     *
     * @param layer of the keys and values
     * @param first first key
     * @param length may be 0
     * @param from position of the first query that sees it
     */
    public void see(KeysValues of, int layer, long first, long length, long from) {
        if (layer < 0 || layer >= of.layers()) {
            throw new IllegalArgumentException("kernel: expected a layer below " + of.layers() + ", got " + layer);
        }
        if (first < 0 || length < 0 || first > of.length() - length) {
            throw new IllegalArgumentException("kernel: expected a segment within %d keys, got %d from %d on"
                    .formatted(of.length(), length, first));
        }
        if (of.width() != (long) heads.keys * heads.width || (of.rotary() != 0 && of.rotary() != heads.rotary)) {
            throw new IllegalArgumentException("kernel: expected keys of %s, got %d columns and a rotation of %d"
                    .formatted(heads, of.width(), of.rotary()));
        }
        if ((count + 1) * KeysValues.FIELDS > segments.length) {
            segments = Arrays.copyOf(segments, 2 * segments.length);
        }
        of.write(segments, count * KeysValues.FIELDS, layer, first, length, from);
        count++;
        if (alive.isEmpty() || alive.getLast() != of) {
            alive.add(of);
        }
    }

    /** Ends a row with this many queries, at positions 0, 1, and so on of its own tokens. */
    public void endRow(int queries) {
        endRow(queries, null, 0);
    }

    /**
     * Ends a row.
     *
     * @param places positions of the queries among the row's own tokens, from index {@code first} on; null: 0, 1, and so on
     */
    public void endRow(int queries, int @Nullable [] places, int first) {
        if (queries < 0) {
            throw new IllegalArgumentException("kernel: expected at least 0 queries, got " + queries);
        }
        long ownTokens = own && count > segmentOffsets[rows]
                ? segments[(count - 1) * KeysValues.FIELDS + KeysValues.LENGTH]
                : Long.MAX_VALUE;
        if (own && count == segmentOffsets[rows]) {
            throw new IllegalArgumentException("kernel: expected a segment of the row's own tokens, got none");
        }
        if (rows + 2 > segmentOffsets.length) {
            segmentOffsets = Arrays.copyOf(segmentOffsets, 2 * segmentOffsets.length);
            queryOffsets = Arrays.copyOf(queryOffsets, 2 * queryOffsets.length);
        }
        int before = (int) queryOffsets[rows];
        while (before + queries > positions.length) {
            positions = Arrays.copyOf(positions, 2 * positions.length);
        }
        for (int i = 0; i < queries; i++) {
            int position = places == null ? i : places[first + i];
            if (position < 0 || position >= ownTokens) {
                throw new IllegalArgumentException(
                        "kernel: expected a query's position below %d, got %d".formatted(ownTokens, position));
            }
            positions[before + i] = position;
        }
        positioned |= places != null;
        rows++;
        queryOffsets[rows] = (long) before + queries;
        segmentOffsets[rows] = count;
    }

    Heads heads() {
        return heads;
    }

    int rows() {
        return rows;
    }

    /** Rows of q. */
    long queries() {
        return queryOffsets[rows];
    }

    /** Whether every row has one query. */
    boolean oneEach() {
        return queries() == rows && !positioned;
    }

    /** Columns of q. */
    long width() {
        return (long) heads.queries * heads.width;
    }

    /** The structure; {@code decoding}: with one query for each row. */
    long struct(Arena arena, boolean decoding) {
        return Struct.ATTENTION
                .allocate(arena)
                .set("rows", rows)
                .set("heads", heads.queries)
                .set("key_heads", heads.keys)
                .set("width", heads.width)
                .set("rotary", heads.rotary)
                .set("layer", 0) // each segment points to its own layer
                .set("qoffsets", decoding ? 0 : copy(arena, queryOffsets, rows + 1))
                .set("qpositions", decoding || !positioned ? 0 : copy(arena, positions, (int) queries()))
                .set("soffsets", copy(arena, segmentOffsets, rows + 1))
                .set("segments", copy(arena, segments, count * KeysValues.FIELDS))
                .set("own", own && !decoding ? 1 : 0)
                .set("scale", (float) scale)
                .address();
    }

    /**
     * The groups of rows for the backward pass: {@code p4j_groups}. Rows with the same segments that need a gradient form a class. A
     * class is split by its size alone, so that a gradient does not depend on unrelated rows.
     */
    long groups(Arena arena) {
        Map<List<Long>, List<Integer>> classes = new LinkedHashMap<>();
        for (int row = 0; row < rows; row++) {
            classes.computeIfAbsent(wanted(row), _ -> new ArrayList<>()).add(row);
        }
        int parts = Math.ceilDiv(PARTS, heads.keys);
        long[] order = new long[rows];
        List<Long> offsets = new ArrayList<>(List.of(0L));
        int at = 0;
        for (List<Integer> members : classes.values()) {
            int start = at;
            for (int row : members) {
                order[at++] = row;
            }
            int groups = Math.min(members.size(), parts);
            for (int group = 1; group <= groups; group++) {
                offsets.add((long) start + (long) members.size() * group / groups);
            }
        }
        return Struct.GROUPS
                .allocate(arena)
                .set("groups", offsets.size() - 1)
                .set(
                        "goffsets",
                        copy(arena, offsets.stream().mapToLong(Long::longValue).toArray(), offsets.size()))
                .set("order", copy(arena, order, rows))
                .address();
    }

    /** Addresses and lengths of the gradients of a row's segments, except its own tokens. */
    private List<Long> wanted(int row) {
        List<Long> gradients = new ArrayList<>();
        for (long i = segmentOffsets[row]; i < segmentOffsets[row + 1] - (own ? 1 : 0); i++) {
            int at = (int) i * KeysValues.FIELDS;
            if (segments[at + KeysValues.DK] != 0) {
                gradients.add(segments[at + KeysValues.DK]);
                gradients.add(segments[at + KeysValues.LENGTH]);
            }
        }
        return gradients;
    }

    private static long copy(Arena arena, long[] numbers, int length) {
        MemorySegment memory = arena.allocate(ValueLayout.JAVA_LONG, Math.max(1, length));
        MemorySegment.copy(numbers, 0, memory, ValueLayout.JAVA_LONG, 0, length);
        return memory.address();
    }

    private static long copy(Arena arena, int[] numbers, int length) {
        MemorySegment memory = arena.allocate(ValueLayout.JAVA_INT, Math.max(1, length));
        MemorySegment.copy(numbers, 0, memory, ValueLayout.JAVA_INT, 0, length);
        return memory.address();
    }
}
