package dev.prefix4j.frozen;

import dev.prefix4j.text.Sequence;
import java.util.List;
import java.util.Set;
import org.bytedeco.pytorch.Tensor;

/**
 * A frozen model and what it sees besides tokens: all that scoring and decoding need.
 *
 * @param prompt its tensors belong to whoever made it
 * @param trained whether it was trained to end its outputs as targets end; false for the base model alone
 */
public record Conditioned(FrozenModel model, SoftPrompt prompt, boolean trained) {
    /** A model with an adapter. */
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
     * The tokens that end an output: for a model alone those at which Transformers' {@code generate} stops, with an adapter
     * also the token that ended the targets in training.
     */
    public Set<Integer> ends() {
        return trained ? model.config().endsOfTargets() : model.config().ends();
    }

    /** Positions of the model that are not available to a sequence. */
    public int taken() {
        return prompt.length() + prompt.virtualTokens();
    }

    /** The activations, for {@link #seen}; the caller closes the run. */
    public Run run() {
        return Run.of(prompt.activations(), model.layout());
    }

    /**
     * What a row sees besides its own tokens.
     *
     * @param run {@link #run}
     * @param tokens length of its prompt, after {@link #arrange(int[])}
     */
    public List<Seen> seen(Run run, int tokens) {
        int from = switch (prompt.place()) {
            case PREFIX -> 0;
            case INFIX -> tokens - 1;
        };
        return List.of(new Seen(run, from, prompt.firstLayer(), prompt.lastLayer()));
    }

    /** Embeddings of the virtual tokens, [K, E]. */
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
