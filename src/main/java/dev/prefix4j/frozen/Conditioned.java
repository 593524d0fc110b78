package dev.prefix4j.frozen;

import dev.prefix4j.text.Sequence;
import java.util.stream.IntStream;

/**
 * A frozen model and what it sees besides words: all that scoring and decoding need.
 *
 * @param prompt its tensors belong to whoever made it
 */
public record Conditioned(FrozenGpt2 model, SoftPrompt prompt) {
    /** A model alone. */
    public static Conditioned plain(FrozenGpt2 model) {
        return new Conditioned(model, SoftPrompt.prefix(model.noPrefix(), model.config()));
    }

    /** Positions of the model that a sequence cannot use. */
    public int taken() {
        return prompt.length() + virtualTokens();
    }

    private int virtualTokens() {
        return (int) prompt.embeddings().size(0);
    }

    /** A sequence with the virtual tokens before the token that ends the source. */
    public Sequence arrange(Sequence sequence) {
        return virtualTokens() == 0
                ? sequence
                : new Sequence(
                        inserted(sequence.ids(), sequence.sourceLength() - 1), sequence.sourceLength() + virtualTokens());
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
