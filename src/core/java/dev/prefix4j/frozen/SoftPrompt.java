package dev.prefix4j.frozen;

import dev.prefix4j.model.ModelConfig;
import dev.prefix4j.text.Sequence;
import java.util.stream.IntStream;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptions;
import org.bytedeco.pytorch.global.torch;

/**
 * What a frozen model sees besides tokens, and what can be learned instead of its weights (Li and Liang 2021, sections 4
 * and 7.2).
 *
 * <p>P activations, K virtual tokens, L layers, E width, W columns of keys.
 *
 * @param activations keys and values, [P, 2·L·W] as {@code PrefixShape} lays them out, float32; P may be 0
 * @param place of the activations
 * @param firstLayer first layer that sees them, from 0
 * @param lastLayer last layer that sees them
 * @param embeddings of virtual tokens among the tokens of a sequence, [K, E], float32: id -1 is the first, -2 the second,
 *     and so on; K may be 0
 */
public record SoftPrompt(Tensor activations, Place place, int firstLayer, int lastLayer, Tensor embeddings) {
    /** The place of activations in a sequence. */
    public enum Place {
        /** Before the source: every token sees them. */
        PREFIX,
        /** Before the token that ends the source: the source does not see them. */
        INFIX
    }

    /** Activations [P, 2·L·W] before everything, in all layers. */
    public static SoftPrompt prefix(Tensor activations, ModelConfig config) {
        return activations(activations, Place.PREFIX, 0, config.layers() - 1, config);
    }

    /**
     * Activations [P, 2·L·W] that a range of layers sees; no virtual tokens.
     *
     * @throws dev.prefix4j.InputException if there are no such layers
     */
    public static SoftPrompt activations(
            Tensor activations, Place place, int firstLayer, int lastLayer, ModelConfig config) {
        Seen.requireLayers(firstLayer, lastLayer, config.layers());
        return new SoftPrompt(activations, place, firstLayer, lastLayer, none(config.width(), activations.options()));
    }

    /** Only virtual tokens, [K, E]. */
    public static SoftPrompt embeddings(Tensor embeddings, ModelConfig config) {
        return new SoftPrompt(
                none(2L * config.layers() * config.keyColumns(), embeddings.options()),
                Place.PREFIX,
                0,
                config.layers() - 1,
                embeddings);
    }

    /** An empty soft prompt. */
    public static SoftPrompt none(ModelConfig config, TensorOptions options) {
        return embeddings(none(config.width(), options), config);
    }

    private static Tensor none(long width, TensorOptions options) {
        return torch.empty(new long[] {0, width}, options, null);
    }

    int virtualTokens() {
        return (int) embeddings.size(0);
    }

    /** The sequence with the virtual tokens before the token that ends the source. */
    public Sequence arrange(Sequence sequence) {
        return virtualTokens() == 0
                ? sequence
                : new Sequence(
                        inserted(sequence.ids(), sequence.sourceLength() - 1),
                        sequence.sourceLength() + virtualTokens());
    }

    /** The prompt with the virtual tokens before its last token. */
    public int[] arrange(int[] prompt) {
        return virtualTokens() == 0 ? prompt : inserted(prompt, prompt.length - 1);
    }

    private int[] inserted(int[] ids, int at) {
        int count = virtualTokens();
        return IntStream.range(0, ids.length + count)
                .map(i -> i < at ? ids[i] : i < at + count ? -(i - at) - 1 : ids[i - count])
                .toArray();
    }

    /** Positions that the activations take, P. */
    public int length() {
        return (int) activations.size(0);
    }

    /** The same without an autograd graph, with contiguous tensors. */
    public SoftPrompt withoutGraph() {
        return new SoftPrompt(
                activations.detach().contiguous(),
                place,
                firstLayer,
                lastLayer,
                embeddings.detach().contiguous());
    }
}
