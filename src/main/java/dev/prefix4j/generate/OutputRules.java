package dev.prefix4j.generate;

import dev.prefix4j.InputException;
import java.util.Arrays;
import java.util.Set;
import java.util.TreeSet;

/**
 * What every output must obey, however its tokens are chosen.
 *
 * @param maxNewTokens longest output, at least 1
 * @param minNewTokens no output ends before it has so many; at most {@code maxNewTokens}
 * @param noRepeatNgram no n tokens in a row occur twice in an output; 0: they may. Unlike Transformers'
 *     {@code no_repeat_ngram_size} the prompt does not count, for a table's names are to be repeated
 * @param never tokens that are in no output
 */
public record OutputRules(int maxNewTokens, int minNewTokens, int noRepeatNgram, Set<Integer> never) {
    /** Without tokens that are in no output. */
    public OutputRules(int maxNewTokens, int minNewTokens, int noRepeatNgram) {
        this(maxNewTokens, minNewTokens, noRepeatNgram, Set.of());
    }

    public OutputRules {
        if (maxNewTokens < 1) {
            throw new InputException("max-new-tokens must be at least 1, was " + maxNewTokens);
        }
        if (minNewTokens < 0 || minNewTokens > maxNewTokens) {
            throw new InputException(
                    "min-new-tokens must be between 0 and max-new-tokens %d, was %d".formatted(maxNewTokens, minNewTokens));
        }
        never = Set.copyOf(never);
        if (noRepeatNgram < 0) {
            throw new InputException("no-repeat-ngram must be at least 0, was " + noRepeatNgram);
        }
    }

    /** At most so many tokens. */
    public static OutputRules atMost(int maxNewTokens) {
        return new OutputRules(maxNewTokens, 0, 0);
    }

    /**
     * The tokens that must not come next: those of {@link #never}, and those that would repeat an n-gram.
     *
     * @param ids an output, of which the first {@code count} are there
     */
    Set<Integer> forbidden(int[] ids, int count) {
        if (noRepeatNgram == 0 || count < noRepeatNgram) {
            return never;
        }
        Set<Integer> tokens = new TreeSet<>(never);
        int before = noRepeatNgram - 1;
        for (int i = 0; i + before < count; i++) {
            if (Arrays.equals(ids, i, i + before, ids, count - before, count)) {
                tokens.add(ids[i + before]);
            }
        }
        return tokens;
    }
}
