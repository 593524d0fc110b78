package dev.prefix4j.generate;

import java.util.Arrays;

/**
 * What a model has added to a prompt.
 *
 * @param ids of the new tokens, without the end token
 * @param finished whether the end token came before the limit
 * @param score of beam search: the one that beams are ranked by; otherwise the sum of the log-probabilities that the model itself
 *     gives to the new tokens and the end token, before penalties, temperature and cuts; where the end token may
 *     not come yet, among the others
 */
public record Generation(int[] ids, boolean finished, double score) {
    /** The same text; scores differ in their last digits with what is computed beside them. */
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
