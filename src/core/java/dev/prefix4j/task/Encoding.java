package dev.prefix4j.task;

import dev.prefix4j.InputException;
import dev.prefix4j.text.Example;
import dev.prefix4j.text.Layout;
import dev.prefix4j.text.Sequence;
import dev.prefix4j.text.Sequences;
import dev.prefix4j.text.Tokenizer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;

/**
 * How texts become ids that fit into a model.
 *
 * @param layout of the targets; that of the sources is applied when they are read
 * @param maxSourceTokens longest source, in tokens; the rest of it is cut off
 */
public record Encoding(Layout layout, OptionalInt maxSourceTokens) {
    /** The plain layout, with sources of any length. */
    public static final Encoding CLEAN = new Encoding(Layout.CLEAN, OptionalInt.empty());

    /** @throws InputException if the maximum is below 1 */
    public Encoding {
        if (maxSourceTokens.isPresent() && maxSourceTokens.getAsInt() < 1) {
            throw new InputException("max-source-tokens must be at least 1, was " + maxSourceTokens.getAsInt());
        }
    }

    /**
     * Positions of a model that are not available to a text.
     *
     * @param adapter that occupies them, for messages
     */
    public record Taken(int positions, Optional<String> adapter) {
        /** Occupied by a method that is being trained, or not at all. */
        public static Taken of(int positions) {
            return new Taken(positions, Optional.empty());
        }
    }

    /**
     * Encodes each source with each of its targets.
     *
     * @throws InputException naming the row, if a sequence is too long for the model
     */
    public List<Sequence> sequences(List<Example> examples, LanguageModel model, Taken taken) {
        List<Example> pairs = Example.pairs(examples);
        List<Sequence> sequences = new ArrayList<>(Sequences.encode(
                pairs, model.tokenizer(), model.config().bos(), model.config().eos(), layout));
        for (int i = 0; i < sequences.size(); i++) {
            Sequence sequence = cut(sequences.get(i), model.tokenizer());
            sequences.set(i, sequence);
            requireRoom(model, pairs.get(i), taken, sequence.ids().length, 0);
        }
        return sequences;
    }

    /**
     * The prompts that targets are generated from: each source with the token that ends it.
     *
     * @param maxNewTokens that must still fit
     * @throws InputException naming the source that leaves no room for them
     */
    public List<int[]> prompts(List<Example> sources, LanguageModel model, Taken taken, int maxNewTokens) {
        return prompts(sources, model, taken, maxNewTokens, true);
    }

    /** As {@link #prompts}, but without the token that ends a source: the source itself is continued. */
    public List<int[]> beginnings(List<Example> sources, LanguageModel model, Taken taken, int maxNewTokens) {
        return prompts(sources, model, taken, maxNewTokens, false);
    }

    private List<int[]> prompts(
            List<Example> sources, LanguageModel model, Taken taken, int maxNewTokens, boolean ended) {
        Tokenizer tokenizer = model.tokenizer();
        List<int[]> prompts = new ArrayList<>();
        for (Example source : sources) {
            int[] ids = tokenizer.begin(tokenizer
                    .encode(List.of(source.source()), _ -> source.location())
                    .getFirst());
            int[] prompt = cut(ended ? Sequences.withBos(ids, model.config().bos()) : ids, tokenizer, ended);
            requireRoom(model, source, taken, prompt.length, maxNewTokens);
            prompts.add(prompt);
        }
        return prompts;
    }

    /** Cuts the source to its first tokens. */
    private Sequence cut(Sequence sequence, Tokenizer tokenizer) {
        int before = tokenizer.beginningLength();
        int source = sequence.sourceLength() - 1 - before; // without BOS
        int most = maxSourceTokens.orElse(source);
        if (source <= most) {
            return sequence;
        }
        int dropped = source - most;
        int kept = before + most;
        int[] ids = new int[sequence.ids().length - dropped];
        System.arraycopy(sequence.ids(), 0, ids, 0, kept);
        System.arraycopy(sequence.ids(), kept + dropped, ids, kept, ids.length - kept);
        return new Sequence(ids, sequence.sourceLength() - dropped);
    }

    /** Cuts a source to its first tokens, not counting those that the tokenizer puts before it; the prompt may end with BOS. */
    int[] cut(int[] prompt, Tokenizer tokenizer, boolean endsWithBos) {
        int source = prompt.length - tokenizer.beginningLength() - (endsWithBos ? 1 : 0);
        int most = maxSourceTokens.orElse(source);
        if (source <= most) {
            return prompt;
        }
        int[] cut = Arrays.copyOf(prompt, prompt.length - source + most);
        if (endsWithBos) {
            cut[cut.length - 1] = prompt[prompt.length - 1];
        }
        return cut;
    }

    /** As {@link dev.prefix4j.model.BaseModel#requireRoom}, naming the row. */
    private static void requireRoom(LanguageModel model, Example example, Taken taken, int tokens, int toGenerate) {
        int past = taken.positions();
        try {
            model.base().requireRoom(past, tokens, toGenerate);
        } catch (InputException e) {
            boolean helps = past + toGenerate + 2 < model.config().positions();
            String adapter = past == 0
                    ? ""
                    : taken.adapter()
                            .map(name -> "; the adapter %s takes %,d".formatted(name, past))
                            .orElse("");
            throw new InputException(
                    "%s: %s%s%s"
                            .formatted(
                                    example.location(),
                                    e.getMessage(),
                                    adapter,
                                    helps ? " (--max-source-tokens shortens sources)" : ""),
                    e);
        }
    }
}
