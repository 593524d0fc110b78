package dev.prefix4j.text;

import java.util.Arrays;
import java.util.List;

/**
 * A batch of sequences, padded on the right, with the positions of their targets.
 *
 * @param rows B
 * @param width T, the length of the longest sequence
 * @param ids [B·T], row by row
 * @param positions [N], indices into B·T of the tokens that are followed by a target
 * @param targets [N], ids of those target tokens
 * @param tokens number of ids without padding
 */
public record TokenBatch(int rows, int width, long[] ids, long[] positions, long[] targets, int tokens) {
    /**
     * Joins sequences.
     *
     * @param pad padding id; it has no effect on loss or attention
     */
    public static TokenBatch of(List<Sequence> sequences, int pad) {
        int width = sequences.stream().mapToInt(s -> s.ids().length).max().orElse(0);
        int tokens = sequences.stream().mapToInt(s -> s.ids().length).sum();
        int count = sequences.stream().mapToInt(TokenBatch::targetCount).sum();
        long[] ids = new long[sequences.size() * width];
        long[] positions = new long[count];
        long[] targets = new long[count];
        Arrays.fill(ids, pad);
        int next = 0;
        for (int row = 0; row < sequences.size(); row++) {
            Sequence sequence = sequences.get(row);
            for (int i = 0; i < sequence.ids().length; i++) {
                ids[row * width + i] = sequence.ids()[i];
                if (i >= sequence.sourceLength()) {
                    positions[next] = (long) row * width + i - 1;
                    targets[next] = sequence.ids()[i];
                    next++;
                }
            }
        }
        return new TokenBatch(sequences.size(), width, ids, positions, targets, tokens);
    }

    private static int targetCount(Sequence sequence) {
        return sequence.ids().length - sequence.sourceLength();
    }
}
