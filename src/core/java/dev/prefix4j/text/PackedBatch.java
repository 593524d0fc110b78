package dev.prefix4j.text;

import java.util.List;

/**
 * Sequences packed end to end, without padding, with the positions of their targets.
 *
 * <p>B sequences, N tokens in all, M targets.
 *
 * @param ids [N], sequence by sequence
 * @param offsets [B+1]: sequence b has the ids from offsets[b] to offsets[b+1]
 * @param positions [M], ascending indices into N of the tokens that are followed by a target
 * @param targets [M], ids of those target tokens
 */
public record PackedBatch(long[] ids, long[] offsets, long[] positions, long[] targets) {
    /** Joins sequences. */
    public static PackedBatch of(List<Sequence> sequences) {
        long[] offsets = new long[sequences.size() + 1];
        int count = 0;
        for (int b = 0; b < sequences.size(); b++) {
            Sequence sequence = sequences.get(b);
            offsets[b + 1] = offsets[b] + sequence.ids().length;
            count += sequence.ids().length - sequence.sourceLength();
        }
        long[] ids = new long[(int) offsets[sequences.size()]];
        long[] positions = new long[count];
        long[] targets = new long[count];
        int next = 0;
        int target = 0;
        for (Sequence sequence : sequences) {
            for (int i = 0; i < sequence.ids().length; i++) {
                ids[next] = sequence.ids()[i];
                if (i >= sequence.sourceLength()) {
                    positions[target] = next - 1L;
                    targets[target++] = sequence.ids()[i];
                }
                next++;
            }
        }
        return new PackedBatch(ids, offsets, positions, targets);
    }

    /** Sequences, B. */
    public int sequences() {
        return offsets.length - 1;
    }

    /** Tokens, N. */
    public int tokens() {
        return ids.length;
    }

    /** Tokens of the longest sequence. */
    public int longest() {
        long longest = 0;
        for (int b = 0; b < sequences(); b++) {
            longest = Math.max(longest, offsets[b + 1] - offsets[b]);
        }
        return (int) longest;
    }
}
