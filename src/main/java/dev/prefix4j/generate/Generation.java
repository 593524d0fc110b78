package dev.prefix4j.generate;

import java.util.Arrays;

/**
 * What a model has added to a prompt.
 *
 * @param ids of the new tokens, without the end token
 * @param finished whether the end token came before the limit
 */
public record Generation(int[] ids, boolean finished) {
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
