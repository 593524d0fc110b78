package dev.prefix4j.generate;

import java.util.Arrays;

/**
 * The output of a model for a prompt.
 *
 * @param ids of the new tokens, without the end token
 * @param finished whether the end token came before the limit
 * @param score in beam search, the score that ranks the beams; otherwise the sum of the model's own log-probabilities
 *     of the new tokens and the end token, before penalties, temperature and filters; while the end token is
 *     suppressed, among the other tokens
 */
public record Generation(int[] ids, boolean finished, double score) {
    /** Compares the text only: the last digits of scores vary with the rest of the batch. */
    @Override
    public boolean equals(Object other) {
        return other instanceof Generation g && Arrays.equals(ids, g.ids) && finished == g.finished;
    }

    @Override
    public int hashCode() {
        return 31 * Arrays.hashCode(ids) + Boolean.hashCode(finished);
    }

    @Override
    public String toString() {
        return Arrays.toString(ids) + (finished ? " finished" : " cut off");
    }
}
