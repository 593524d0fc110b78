package dev.prefix4j.model;

import dev.prefix4j.InputException;
import java.util.Collections;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;

/**
 * The architecture of a language model: its geometry, and everything its forward pass depends on. Dropout rates are ignored:
 * the base is a fixed function, even in training.
 *
 * @param family determines the names of the weights
 * @param layers number of blocks, L
 * @param width of the residual stream, E
 * @param positions maximum sequence length
 * @param vocabulary number of tokens, V
 * @param tiedHead whether the output head is the token embedding
 */
public record ModelConfig(
        Family family,
        int layers,
        int width,
        int positions,
        int vocabulary,
        Attention attention,
        Mlp mlp,
        Norm norm,
        boolean tiedHead,
        Tokens tokens) {

    /** A token that the model does not have. */
    public static final int NONE = -1;

    /** The largest plausible size. */
    private static final int MAX_SIZE = 1 << 24;

    /**
     * Self-attention.
     *
     * @param heads query heads, H
     * @param keyHeads key/value heads, Hk, each shared by H / Hk consecutive query heads (Ainslie et al. 2023, arXiv:2305.13245)
     * @param headWidth D
     * @param scaled whether scores are divided by the square root of the head width
     * @param scaledByLayer whether scores are also divided by the layer's number, from 1
     * @param normed whether queries and keys are normalized, each head separately
     * @param inputBias whether the maps to queries, keys and values have a bias
     * @param outputBias whether the map after attention has a bias
     * @param rotary absent: positions are learned vectors
     */
    public record Attention(
            int heads,
            int keyHeads,
            int headWidth,
            boolean scaled,
            boolean scaledByLayer,
            boolean normed,
            boolean inputBias,
            boolean outputBias,
            Optional<Rotary> rotary) {
        /** Columns of queries, H·D. */
        public int queryColumns() {
            return heads * headWidth;
        }

        /** Columns of keys, Hk·D. */
        public int keyColumns() {
            return keyHeads * headWidth;
        }
    }

    /**
     * The feed-forward half of a block.
     *
     * @param width inner width, F
     * @param gated whether the activation of one map is multiplied by another map: {@code down(f(gate(x)) · up(x))} (Shazeer 2020,
     *     arXiv:2002.05202)
     */
    public record Mlp(int width, Activation activation, boolean gated, boolean bias) {}

    /** Normalization in the blocks and after them. */
    public record Norm(Kind kind, double epsilon) {
        /** How rows are normalized. */
        public enum Kind {
            /** To mean 0 and standard deviation 1, with a gain and a bias (Ba et al. 2016, arXiv:1607.06450). */
            LAYER,
            /** To root mean square 1, with a gain (Zhang and Sennrich 2019, arXiv:1910.07467). */
            RMS
        }
    }

    /**
     * Special tokens.
     *
     * @param bos between source and target; {@link #NONE} if the model has none
     * @param eos ends a target in training and scoring; {@link #NONE} if the model has none
     * @param ends tokens that end the output of the model without an adapter
     */
    public record Tokens(int bos, int eos, Set<Integer> ends) {
        public Tokens {
            ends = Collections.unmodifiableSortedSet(new TreeSet<>(ends));
        }

        /** For a file: null if there is none. */
        public @Nullable Integer bosId() {
            return bos == NONE ? null : Integer.valueOf(bos);
        }

        /** For a file: null if there is none. */
        public @Nullable Integer eosId() {
            return eos == NONE ? null : Integer.valueOf(eos);
        }

        /** Outputs end with {@code eos}. */
        public static Tokens of(int bos, int eos) {
            return new Tokens(bos, eos, eos == NONE ? Set.of() : Set.of(eos));
        }
    }

    public ModelConfig {
        size("layers", layers);
        size("width", width);
        size("positions", positions);
        size("vocabulary", vocabulary);
        size("heads", attention.heads());
        size("heads of keys", attention.keyHeads());
        size("head width", attention.headWidth());
        size("MLP width", mlp.width());
        size("columns of queries", (long) attention.heads() * attention.headWidth());
        if (attention.heads() % attention.keyHeads() != 0) {
            throw new InputException("heads: expected a multiple of the %d heads of keys, was %d"
                    .formatted(attention.keyHeads(), attention.heads()));
        }
        if (!(norm.epsilon() > 0 && norm.epsilon() < 1)) {
            throw new InputException("epsilon of the normalization must be between 0 and 1, was " + norm.epsilon());
        }
        token("bos_token_id", tokens.bos(), vocabulary);
        token("eos_token_id", tokens.eos(), vocabulary);
        for (int end : tokens.ends()) {
            token("eos_token_id", end, vocabulary);
        }
    }

    private static void size(String what, long value) {
        if (value < 1 || value > MAX_SIZE) {
            throw new InputException("%s must be between 1 and %d, was %d".formatted(what, MAX_SIZE, value));
        }
    }

    private static void token(String key, int value, int vocabulary) {
        if (value != NONE && (value < 0 || value >= vocabulary)) {
            throw new InputException("%s must be below vocab_size %d, was %d".formatted(key, vocabulary, value));
        }
    }

    /** Query heads, H. */
    public int heads() {
        return attention.heads();
    }

    /** Key/value heads, Hk. */
    public int keyHeads() {
        return attention.keyHeads();
    }

    /** Width of a head, D. */
    public int headWidth() {
        return attention.headWidth();
    }

    /** Columns of a layer's keys, Hk·D: a prefix has twice as many per layer. */
    public int keyColumns() {
        return attention.keyColumns();
    }

    /** Scale of the attention scores in a block, counted from 0. */
    public double attentionScale(int layer) {
        double scale = attention.scaled() ? 1 / Math.sqrt(attention.headWidth()) : 1;
        return attention.scaledByLayer() ? scale / (layer + 1) : scale;
    }

    /** @throws InputException if the model has none */
    public int bos() {
        return required("between a source and its target", "bos", tokens.bos());
    }

    /** @throws InputException if the model has none */
    public int eos() {
        return required("that ends a target", "eos", tokens.eos());
    }

    private int required(String role, String name, int id) {
        if (id == NONE) {
            throw new InputException(
                    ("the model has no token %s: expected %s_token_id below vocab_size %d in config.json, or %s_token"
                        + " in tokenizer_config.json with such an id; found neither (generate --raw needs none)")
                            .formatted(role, name, vocabulary, name));
        }
        return id;
    }

    /** The tokens that end the output of the model without an adapter. */
    public Set<Integer> ends() {
        return tokens.ends();
    }

    /** The tokens that end an output with an adapter: {@link #ends}, and the end token of its training targets. */
    public Set<Integer> endsOfTargets() {
        Set<Integer> all = new TreeSet<>(ends());
        if (tokens.eos() != NONE) {
            all.add(tokens.eos());
        }
        return all;
    }

    /** The same model with a separate head. */
    ModelConfig untied() {
        return new ModelConfig(family, layers, width, positions, vocabulary, attention, mlp, norm, false, tokens);
    }
}
