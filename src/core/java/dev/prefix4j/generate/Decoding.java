package dev.prefix4j.generate;

import dev.prefix4j.InputException;

/** How the next token is chosen. */
public sealed interface Decoding {
    /**
     * Checks that this method can give so many outputs for a prompt.
     *
     * @throws InputException if not
     */
    default void requireOutputs(int count) {
        if (count < 1 || count > 1024) {
            throw new InputException("n-best must be between 1 and 1024, was " + count);
        }
        switch (this) {
            case Greedy _ -> {
                if (count > 1) {
                    throw new InputException(
                            "n-best: expected --beams of at least %d, or sampling, with it; found greedy decoding"
                                    .formatted(count));
                }
            }
            case Sampling _ -> {
                // any number
            }
            case BeamSearch search -> {
                if (count > search.beams()) {
                    throw new InputException(
                            "n-best must be at most the number of beams, %d, was %d".formatted(search.beams(), count));
                }
            }
        }
    }

    /** The most likely token. */
    record Greedy() implements Decoding {}

    /**
     * A random token, drawn with libtorch's generator ({@link dev.prefix4j.torch.TorchRuntime#seed}).
     *
     * @param temperature divides the logits; at least 0.0001, where a float32 still holds the quotient
     * @param topK only the k most likely tokens; 0: all
     * @param topP only the most likely tokens that together have this probability, after temperature and {@code topK}
     *     (nucleus sampling, Holtzman et al. 2020, arXiv:1904.09751); 1: all
     * @param minP only tokens whose probability is at least this fraction of the highest, after all of the above (Nguyen et al. 2024,
     *     arXiv:2407.01082); 0: all
     */
    record Sampling(double temperature, int topK, double topP, double minP) implements Decoding {
        /** Without min-p. */
        public Sampling(double temperature, int topK, double topP) {
            this(temperature, topK, topP, 0);
        }

        public Sampling {
            if (!(temperature >= 1e-4 && temperature <= 1000)) {
                throw new InputException(
                        "temperature must be between 0.0001, which is practically greedy, and 1000, was "
                                + temperature);
            }
            if (topK < 0) {
                throw new InputException("top-k must be at least 0, was " + topK);
            }
            if (!(topP > 0 && topP <= 1)) {
                throw new InputException("top-p must be above 0 and at most 1, was " + topP);
            }
            if (!(minP >= 0 && minP <= 1)) {
                throw new InputException("min-p must be between 0 and 1, was " + minP);
            }
        }
    }

    /**
     * Beam search as in Transformers' {@code generate}: a beam finishes with the end token; the score of a finished beam
     * is its log-probability divided by its number of new tokens (including the end token) to the power of the length
     * penalty; the search for an input ends when no open beam, at its current length, beats the worst of the best
     * finished ones.
     *
     * @param beams at least 1
     * @param lengthPenalty above 0: longer outputs win more often; 0: no normalization
     * @param likeTransformers3 as in Transformers 3, which the authors used: scores are divided by the length
     *     of the prompt and the new tokens without the end token; the search for an input ends when no candidate of a step, finished or
     *     not, beats the worst of the best finished ones; open beams count only if that has not happened by the maximum length
     */
    record BeamSearch(int beams, double lengthPenalty, boolean likeTransformers3) implements Decoding {
        /** Counts only new tokens. */
        public BeamSearch(int beams, double lengthPenalty) {
            this(beams, lengthPenalty, false);
        }

        public BeamSearch {
            if (beams < 1 || beams > 1024) {
                throw new InputException("beams must be between 1 and 1024, was " + beams);
            }
            if (!(lengthPenalty >= -100 && lengthPenalty <= 100)) {
                throw new InputException("length-penalty must be between -100 and 100, was " + lengthPenalty);
            }
        }
    }
}
