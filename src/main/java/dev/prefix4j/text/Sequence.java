package dev.prefix4j.text;

import java.util.Arrays;

/**
 * A source and its target as a model reads them: ids of the source, BOS, ids of the target, EOS.
 *
 * @param ids of the whole sequence
 * @param sourceLength number of ids before the target: the source and BOS
 */
public record Sequence(int[] ids, int sourceLength) {
    public Sequence {
        if (sourceLength < 1 || sourceLength >= ids.length) {
            throw new IllegalArgumentException(
                    "sequence: expected a source of 1 to %d ids, got %d".formatted(ids.length - 1, sourceLength));
        }
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof Sequence s && Arrays.equals(ids, s.ids) && sourceLength == s.sourceLength;
    }

    @Override
    public int hashCode() {
        return 31 * Arrays.hashCode(ids) + sourceLength;
    }

    @Override
    public String toString() {
        return Arrays.toString(ids) + ", targets from " + sourceLength;
    }
}
