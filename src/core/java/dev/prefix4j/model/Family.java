package dev.prefix4j.model;

import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.function.IntFunction;

/**
 * Models that share a configuration file and the names of weights. What they compute is said by {@link ModelConfig} alone.
 */
public interface Family {
    /** Such as {@code gpt2}. */
    String name();

    /** As people write it, such as {@code GPT-2}. */
    String title();

    /** Values of {@code model_type} in {@code config.json} that are read. */
    Set<String> types();

    /**
     * Reads {@code config.json}.
     *
     * @param file with one of the {@link #types}
     * @param tokens reads the tokens with a role
     * @throws dev.prefix4j.InputException naming the key that is wrong
     */
    ModelConfig read(ConfigFile file, TokenReader tokens);

    /** Names of the weights in checkpoints. */
    Names names();

    /** Whether a tensor of a checkpoint, by its name without the stem, is a constant that follows from the configuration. */
    boolean constant(String name);

    /** {@code architectures} of a checkpoint with a language model's head, for a {@code model_type}. */
    String architecture(String type);

    /** What LoRA changes where nothing is said: the last parts of affine maps' names, as PEFT has them. */
    List<String> loraTargets();

    /**
     * Names of weights, without the stem and without {@code .weight} and {@code .bias}.
     *
     * @param stem that names begin with in checkpoints, save that of the head; some files leave it out
     * @param words the token embedding
     * @param positions the position embedding; empty: there is none
     * @param norm the normalization after the blocks
     * @param inputsFirst matrices are stored [in, out], and not [out, in]
     * @param block of each block
     */
    record Names(
            String stem, String words, String positions, String norm, boolean inputsFirst, IntFunction<Block> block) {
        /** The output head, where it is not the token embedding. */
        public static final String HEAD = "lm_head";

        /** The name of a module in a checkpoint. */
        public String full(String name) {
            return name.equals(HEAD) || name.startsWith(HEAD + ".") ? name : stem + name;
        }

        /** The name of a module without the stem. */
        public String bare(String full) {
            return full.startsWith(stem) ? full.substring(stem.length()) : full;
        }
    }

    /**
     * Names of a block.
     *
     * @param attention the half, for what is added behind it
     * @param attentionInputs the maps to queries, keys and values: one for all, or three
     * @param queryNorm normalization of the heads of queries; empty: none
     * @param keyNorm normalization of the heads of keys; empty: none
     * @param mlp the half
     * @param mlpInputs one map, or those to the gates and to what they let through
     */
    record Block(
            String attentionNorm,
            String attention,
            List<String> attentionInputs,
            String queryNorm,
            String keyNorm,
            String attentionOutput,
            String mlpNorm,
            String mlp,
            List<String> mlpInputs,
            String mlpOutput) {
        /** What all names begin with, with a dot. */
        public String prefix() {
            return attention.substring(0, attention.lastIndexOf('.') + 1);
        }

        /** The affine maps. */
        public List<String> maps() {
            List<String> all = new ArrayList<>(attentionInputs);
            all.add(attentionOutput);
            all.addAll(mlpInputs);
            all.add(mlpOutput);
            return all;
        }
    }
}
