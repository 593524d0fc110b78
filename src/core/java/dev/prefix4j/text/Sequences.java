package dev.prefix4j.text;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.IntFunction;

/**
 * From texts to ids (Li and Liang 2021, section 3; the layout is that of the authors' data): the source, BOS, a space
 * and the target, EOS. What the tokenizer itself puts before a text stands before the source, once.
 */
public final class Sequences {
    private Sequences() {}

    /**
     * Encodes pairs.
     *
     * @param pairs with one target each
     * @param layout of the targets; the sources are already laid out
     */
    public static List<Sequence> encode(List<Example> pairs, Tokenizer tokenizer, int bos, int eos, Layout layout) {
        IntFunction<String> location = i -> pairs.get(i).location();
        List<int[]> sources =
                tokenizer.encode(pairs.stream().map(Example::source).toList(), location);
        List<int[]> targets = tokenizer.encode(
                pairs.stream()
                        .map(pair -> layout.target(pair.targets().getFirst()))
                        .toList(),
                location);
        List<Sequence> sequences = new ArrayList<>();
        for (int i = 0; i < pairs.size(); i++) {
            sequences.add(join(tokenizer.begin(sources.get(i)), bos, targets.get(i), eos));
        }
        return sequences;
    }

    /** With the clean layout. */
    public static List<Sequence> encode(List<Example> pairs, Tokenizer tokenizer, int bos, int eos) {
        return encode(pairs, tokenizer, bos, eos, Layout.CLEAN);
    }

    private static Sequence join(int[] source, int bos, int[] target, int eos) {
        int[] ids = Arrays.copyOf(source, source.length + target.length + 2);
        ids[source.length] = bos;
        System.arraycopy(target, 0, ids, source.length + 1, target.length);
        ids[ids.length - 1] = eos;
        return new Sequence(ids, source.length + 1);
    }

    /** The prompt for a target: the source and BOS. */
    public static int[] prompt(String source, Tokenizer tokenizer, int bos) {
        return withBos(tokenizer.begin(tokenizer.encode(source)), bos);
    }

    /** Ids of a source, and BOS. */
    public static int[] withBos(int[] ids, int bos) {
        int[] prompt = Arrays.copyOf(ids, ids.length + 1);
        prompt[ids.length] = bos;
        return prompt;
    }
}
