package dev.prefix4j.model;

import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.function.IntFunction;

/**
 * Models that share a configuration format and the names of weights. {@link ModelConfig} alone determines what they compute.
 */
public interface Family {
    /** Such as {@code gpt2}. */
    String name();

    /** Its display name, such as {@code GPT-2}. */
    String title();

    /** Supported values of {@code model_type} in {@code config.json}. */
    Set<String> types();

    /**
     * Reads {@code config.json}.
     *
     * @param file with one of the {@link #types}
     * @param tokens reads the tokens with a role
     * @throws dev.prefix4j.InputException naming the invalid key
     */
    ModelConfig read(ConfigFile file, TokenReader tokens);

    /** Names of the weights in checkpoints. */
    Names names();

    /** Whether a tensor of a checkpoint, by its name without the stem, is a constant that follows from the configuration. */
    boolean constant(String name);

    /** {@code architectures} of a checkpoint with a language model's head, for a {@code model_type}. */
    String architecture(String type);

    /** LoRA's default target modules: the last parts of affine maps' names, as in PEFT. */
    List<String> loraTargets();

    /**
     * Names of weights, without the stem and without {@code .weight} and {@code .bias}.
     *
     * @param stem prefix of all names in checkpoints except the head's; some files omit it
     * @param words the token embedding
     * @param positions the position embedding; empty: none
     * @param norm the final normalization
     * @param inputsFirst whether matrices are stored as [in, out] instead of [out, in]
     * @param block names for each block
     */
    record Names(
            String stem, String words, String positions, String norm, boolean inputsFirst, IntFunction<Block> block) {
        /** The output head, if it is not the token embedding. */
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
     * @param attention the attention half, for extensions after it
     * @param attentionInputs the maps to queries, keys and values: one for all, or three
     * @param queryNorm normalization of the query heads; empty: none
     * @param keyNorm normalization of the key heads; empty: none
     * @param mlp the MLP half
     * @param mlpInputs one map, or gate and up
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
        /** The common prefix of all names, with a trailing dot. */
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
