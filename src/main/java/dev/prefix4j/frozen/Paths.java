package dev.prefix4j.frozen;

/**
 * Which keys and values every row sees while tokens are generated, by their places in a store: P of the prefix, then the
 * prompts end to end, then a generation of {@code capacity} rows for each new token.
 *
 * <p>R rows, G generations so far.
 *
 * @param prefix P
 * @param promptOffsets [inputs+1]
 * @param input [R], the prompt of each row
 * @param beam [R][G], the row of each generation that holds a row's token
 * @param capacity rows of a generation
 */
record Paths(int prefix, long[] promptOffsets, int[] input, int[][] beam, int capacity) {
    int rows() {
        return input.length;
    }

    /** Tokens of all prompts. */
    int promptTokens() {
        return (int) promptOffsets[promptOffsets.length - 1];
    }

    /** First place of a generation. */
    int generation(int number) {
        return prefix + promptTokens() + number * capacity;
    }

    /** Places that a row sees, G generations included, in order. */
    int[] places(int row, int generations) {
        int from = (int) promptOffsets[input[row]];
        int prompt = (int) promptOffsets[input[row] + 1] - from;
        int[] places = new int[prefix + prompt + generations];
        for (int i = 0; i < prefix; i++) {
            places[i] = i;
        }
        for (int i = 0; i < prompt; i++) {
            places[prefix + i] = prefix + from + i;
        }
        for (int i = 0; i < generations; i++) {
            places[prefix + prompt + i] = generation(i) + beam[row][i];
        }
        return places;
    }

    /** The same with other rows: row i goes on as row parents[i] was. */
    Paths select(int[] parents) {
        int[] inputs = new int[parents.length];
        int[][] beams = new int[parents.length][];
        for (int i = 0; i < parents.length; i++) {
            inputs[i] = input[parents[i]];
            beams[i] = beam[parents[i]].clone();
        }
        return new Paths(prefix, promptOffsets, inputs, beams, capacity);
    }
}
