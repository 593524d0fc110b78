package dev.prefix4j.frozen;

import dev.prefix4j.text.Sequence;
import java.util.List;
import java.util.Set;
import java.util.stream.IntStream;
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
        return prompt.length() + virtualTokens();
    }

    private int virtualTokens() {
        return (int) prompt.embeddings().size(0);
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

    /** A sequence with the virtual tokens before the token that ends the source. */
    public Sequence arrange(Sequence sequence) {
        return virtualTokens() == 0
                ? sequence
                : new Sequence(
                        inserted(sequence.ids(), sequence.sourceLength() - 1),
                        sequence.sourceLength() + virtualTokens());
    }

    /** A prompt with the virtual tokens before its last token. */
    public int[] arrange(int[] prompt) {
        return virtualTokens() == 0 ? prompt : inserted(prompt, prompt.length - 1);
    }

    private int[] inserted(int[] ids, int at) {
        int count = virtualTokens();
        return IntStream.range(0, ids.length + count)
                .map(i -> i < at ? ids[i] : i < at + count ? -(i - at) - 1 : ids[i - count])
                .toArray();
    }
}
