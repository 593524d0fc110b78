package dev.prefix4j.generate;

import dev.prefix4j.InputException;
import java.util.Arrays;
import java.util.Set;
import java.util.TreeSet;

/**
 * Constraints on every output, for any decoding method.
 *
 * @param maxNewTokens maximum length, at least 1
 * @param minNewTokens minimum length; at most {@code maxNewTokens}
 * @param noRepeatNgram no sequence of n tokens occurs twice in {@code ngramsOf}; 0: no constraint
 * @param ngramsOf where n-grams are counted
 * @param repetitionPenalty the score of every token that the prompt or the output already contains is divided by it if positive,
 *     otherwise multiplied (Keskar et al. 2019, arXiv:1909.05858, as Transformers' {@code repetition_penalty}): logits, or log-probabilities
 *     in beam search; 1: none
 * @param never tokens that are always forbidden
 */
public record OutputRules(
        int maxNewTokens,
        int minNewTokens,
        int noRepeatNgram,
        Counted ngramsOf,
        double repetitionPenalty,
        Set<Integer> never) {

    /** Tokens whose n-grams must not be repeated. */
    public enum Counted {
        /** Prompt and output, as Transformers' {@code no_repeat_ngram_size} for models without an encoder. */
        ALL,

        /** Only the output: it may repeat its source, as texts about a table must. */
        OUTPUT;

        /** @throws InputException if there is no such choice */
        public static Counted parse(String name) {
            return switch (name) {
                case "all" -> ALL;
                case "output" -> OUTPUT;
                default -> throw new InputException("no-repeat-ngram-in: expected all or output, found '" + name + "'");
            };
        }
    }

    /** No penalty, all tokens allowed. */
    public OutputRules(int maxNewTokens, int minNewTokens, int noRepeatNgram, Counted ngramsOf) {
        this(maxNewTokens, minNewTokens, noRepeatNgram, ngramsOf, 1, Set.of());
    }

    public OutputRules {
        if (maxNewTokens < 1) {
            throw new InputException("max-new-tokens must be at least 1, was " + maxNewTokens);
        }
        if (minNewTokens < 0 || minNewTokens > maxNewTokens) {
            throw new InputException("min-new-tokens must be between 0 and max-new-tokens %d, was %d"
                    .formatted(maxNewTokens, minNewTokens));
        }
        if (noRepeatNgram < 0) {
            throw new InputException("no-repeat-ngram must be at least 0, was " + noRepeatNgram);
        }
        if (!(repetitionPenalty > 0 && repetitionPenalty <= 1000)) {
            throw new InputException("repetition-penalty must be above 0 and at most 1000, was " + repetitionPenalty);
        }
        never = Set.copyOf(never);
    }

    /** With a maximum length. */
    public static OutputRules atMost(int maxNewTokens) {
        return new OutputRules(maxNewTokens, 0, 0, Counted.ALL);
    }

    /** With a minimum and a maximum length. */
    public static OutputRules exactly(int newTokens) {
        return new OutputRules(newTokens, newTokens, 0, Counted.ALL);
    }

    /**
     * The forbidden next tokens: those of {@link #never}, and those that would repeat an n-gram.
     *
     * @param prompt before the output
     * @param ids an output, of which the first {@code count} are valid
     * @param vocabulary size of the model's vocabulary
     * @throws InputException if no token would be left
     */
    Set<Integer> forbidden(int[] prompt, int[] ids, int count, int vocabulary) {
        if (noRepeatNgram == 0) {
            return never;
        }
        int[] all = ngramsOf == Counted.ALL ? joined(prompt, ids, count) : Arrays.copyOf(ids, count);
        Set<Integer> tokens = new TreeSet<>(never);
        int before = noRepeatNgram - 1;
        for (int i = 0; i + before < all.length; i++) {
            if (Arrays.equals(all, i, i + before, all, all.length - before, all.length)) {
                tokens.add(all[i + before]);
            }
        }
        if (tokens.size() >= vocabulary - 1) { // the end token may be suppressed
            throw new InputException("no-repeat-ngram %d forbids all %d tokens of the vocabulary after %d new tokens"
                    .formatted(noRepeatNgram, vocabulary, count));
        }
        return tokens;
    }

    /**
     * The tokens that are penalized, each once; none if there is no penalty.
     *
     * @param ids an output, of which the first {@code count} are valid
     */
    long[] penalized(int[] prompt, int[] ids, int count) {
        return repetitionPenalty == 1
                ? new long[0]
                : Arrays.stream(joined(prompt, ids, count))
                        .asLongStream()
                        .distinct()
                        .toArray();
    }

    /** A score after the penalty. */
    float penalized(float score) {
        return (float) (score < 0 ? score * repetitionPenalty : score / repetitionPenalty);
    }

    private static int[] joined(int[] prompt, int[] ids, int count) {
        int[] all = Arrays.copyOf(prompt, prompt.length + count);
        System.arraycopy(ids, 0, all, prompt.length, count);
        return all;
    }
}
