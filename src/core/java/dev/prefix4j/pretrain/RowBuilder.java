package dev.prefix4j.pretrain;

/** Fills a row with token sequences, truncating what does not fit. */
final class RowBuilder {
    private final int[] ids;
    private final boolean[] scored;
    private int count;

    /** @param length T */
    RowBuilder(int length) {
        this.ids = new int[length + 1];
        this.scored = new boolean[length];
    }

    boolean isFull() {
        return count == ids.length;
    }

    /** @param inLoss whether these tokens count in the loss */
    void add(int[] piece, boolean inLoss) {
        for (int i = 0; i < piece.length && count < ids.length; i++) {
            if (count > 0) {
                scored[count - 1] = inLoss;
            }
            ids[count++] = piece[i];
        }
    }

    Row build() {
        return new Row(ids, scored);
    }
}
