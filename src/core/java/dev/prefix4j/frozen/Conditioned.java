package dev.prefix4j.frozen;

import dev.prefix4j.text.Sequence;
import java.util.List;
import java.util.Set;
import org.bytedeco.pytorch.Tensor;

/**
 * A frozen model and what it sees besides words: all that scoring and decoding need.
 *
 * @param prompt its tensors belong to whoever made it
 * @param trained whether it was trained to end its outputs as targets end, and is no model alone
 */
public record Conditioned(FrozenModel model, SoftPrompt prompt, boolean trained) {
    /** A model under an adapter. */
    public Conditioned(FrozenModel model, SoftPrompt prompt) {
        this(model, prompt, true);
    }

    /** A model alone. */
    public static Conditioned plain(FrozenModel model) {
        return new Conditioned(model, SoftPrompt.prefix(model.noPrefix(), model.config()), false);
    }

    /** A model whose weights were trained. */
    public static Conditioned tuned(FrozenModel model) {
        return new Conditioned(model, SoftPrompt.prefix(model.noPrefix(), model.config()));
    }

    /**
     * The tokens that end an output: of a model alone those that Transformers' {@code generate} stops at, under an adapter
     * also the one that ended the targets that it was trained on.
     */
    public Set<Integer> ends() {
        return trained ? model.config().endsOfTargets() : model.config().ends();
    }

    /** Positions of the model that a sequence cannot use. */
    public int taken() {
        return prompt.length() + prompt.virtualTokens();
    }

    /** The activations, for {@link #seen}; to be closed. */
    public Run run() {
        return Run.of(prompt.activations(), model.layout());
    }

    /**
     * What a row sees besides its own tokens.
     *
     * @param run {@link #run}
     * @param tokens of its prompt, arranged
     */
    public List<Seen> seen(Run run, int tokens) {
        int from = switch (prompt.place()) {
            case PREFIX -> 0;
            case INFIX -> tokens - 1;
        };
        return List.of(new Seen(run, from, prompt.firstLayer(), prompt.lastLayer()));
    }

    /** Vectors of the virtual tokens, [K, E]. */
    public Tensor vectors() {
        return prompt.embeddings().detach();
    }

    /** As {@link SoftPrompt#arrange(Sequence)}. */
    public Sequence arrange(Sequence sequence) {
        return prompt.arrange(sequence);
    }

    /** As {@link SoftPrompt#arrange(int[])}. */
    public int[] arrange(int[] ids) {
        return prompt.arrange(ids);
    }
}
