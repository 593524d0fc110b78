package dev.prefix4j.task;

import dev.prefix4j.InputException;
import dev.prefix4j.frozen.Conditioned;
import dev.prefix4j.frozen.SoftPrompt;
import dev.prefix4j.generate.Decoding;
import dev.prefix4j.generate.Generation;
import dev.prefix4j.generate.Generator;
import dev.prefix4j.method.AdapterFolder;
import dev.prefix4j.method.Inspection;
import dev.prefix4j.method.SoftPromptTuner;
import dev.prefix4j.text.Example;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.IntStream;
import org.bytedeco.pytorch.Tensor;

/** Looks inside an adapter: sizes, norms, nearest words, attention, similarity to another. */
public final class AdapterInspection {
    private static final int NEW_TOKENS = 60;

    private final LanguageModel model;
    private final String name;
    private final AdapterFolder.Contents contents;
    private final Conditioned conditioned;

    /**
     * Reads an adapter; its tensors belong to the innermost open scope: the model's, or one opened later.
     *
     * @param name as given by the user, for messages
     * @throws InputException if the folder holds no adapter of this model's geometry
     */
    public AdapterInspection(LanguageModel model, Path folder, String name) {
        this.model = model;
        this.name = name;
        this.contents = AdapterFolder.load(folder, model.config(), model.base().device());
        this.conditioned = conditioned(contents);
    }

    private Conditioned conditioned(AdapterFolder.Contents adapter) {
        return adapter.method().apply(model.base(), Engine.FP32.decoder(), adapter.tensors());
    }

    /** A word near a virtual token. */
    public record Word(String word, double cosine) {}

    /** The name of the method. */
    public String method() {
        return contents.method().name();
    }

    /** The number of stored parameters. */
    public long parameters() {
        return contents.method().storedNumbers(model.config());
    }

    /** Shapes of the stored tensors, by name. */
    public Map<String, long[]> shapes() {
        Map<String, long[]> shapes = new LinkedHashMap<>();
        contents.tensors()
                .forEach((name, tensor) -> shapes.put(name, tensor.sizes().vec().get()));
        return shapes;
    }

    /** The number of positions in the keys and values that rows attend to. */
    public int length() {
        return conditioned.prompt().length();
    }

    /** Whether all layers attend to something before the source. */
    public boolean hasAttention() {
        return Inspection.hasAttention(model.base(), conditioned.prompt());
    }

    /** Mean norms of keys and of values, by layer; empty if there are none. */
    public List<Inspection.Norms> norms() {
        return length() == 0 ? List.of() : Inspection.norms(conditioned.prompt(), model.config());
    }

    /** The words nearest to each virtual token; empty for methods whose virtual tokens are not single vectors. */
    public List<List<Word>> nearestWords(int count) {
        Tensor vectors = contents.tensors().get(SoftPromptTuner.VECTORS);
        if (vectors == null || vectors.size(1) != model.config().width()) {
            return List.of();
        }
        return Inspection.nearest(model.base(), vectors, count).stream()
                .map(row -> row.stream()
                        .map(near -> new Word(model.tokenizer().decode(new int[] {near.token()}), near.cosine()))
                        .toList())
                .toList();
    }

    /**
     * The share of their attention that generated tokens give to the prefix, by layer and head.
     *
     * @param sources whose targets are generated greedily
     */
    public double[][] attention(List<Example> sources, Encoding encoding) {
        List<int[]> prompts = encoding.prompts(
                sources, model, new Encoding.Taken(conditioned.taken(), Optional.of(name)), NEW_TOKENS);
        List<Generation> written = new Generator(conditioned).generate(prompts, new Decoding.Greedy(), NEW_TOKENS);
        List<int[]> sequences = new ArrayList<>();
        int[] from = new int[prompts.size()];
        for (int i = 0; i < from.length; i++) {
            // the last token of the prompt predicts the first new one
            from[i] = prompts.get(i).length - 1;
            int[] ids = written.get(i).ids();
            sequences.add(IntStream.concat(
                            Arrays.stream(prompts.get(i)), Arrays.stream(ids, 0, Math.max(0, ids.length - 1)))
                    .toArray());
        }
        return Inspection.attention(model.base(), conditioned.prompt(), sequences, from);
    }

    /**
     * Cosine similarity of the keys and values to those of another adapter, by layer.
     *
     * @throws InputException if they cannot be compared
     */
    public double[] similarity(AdapterInspection other) {
        SoftPrompt with = other.conditioned.prompt();
        return Inspection.similarity(conditioned.prompt(), with, model.config());
    }
}
