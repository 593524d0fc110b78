package dev.prefix4j.pretrain;

/** Fills a row with pieces of tokens; what does not fit is cut off. */
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

    /** @param inLoss whether the model is to learn to predict these tokens */
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
