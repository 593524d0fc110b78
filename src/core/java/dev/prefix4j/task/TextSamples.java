package dev.prefix4j.task;

import dev.prefix4j.generate.Decoding;
import dev.prefix4j.generate.Generation;
import dev.prefix4j.generate.Generator;
import dev.prefix4j.model.BaseModel;
import dev.prefix4j.text.Tokenizer;
import dev.prefix4j.train.Sample;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;

/** Samples continuations from a model. */
final class TextSamples {
    private static final int TOKENS = 60;
    private static final Decoding DECODING = new Decoding.Sampling(0.8, 40, 1.0);

    private TextSamples() {}

    /** @param beginnings texts to continue; an empty one starts a document */
    static List<Sample> write(BaseModel model, Tokenizer tokenizer, List<String> beginnings) {
        int positions = model.config().positions();
        List<int[]> prompts = beginnings.stream()
                .map(text -> text.isEmpty() ? new int[] {model.config().eos()} : tokenizer.encode(text))
                .map(ids -> Arrays.copyOf(ids, Math.min(ids.length, positions - 1)))
                .toList();
        int longest = prompts.stream().mapToInt(prompt -> prompt.length).max().orElseThrow();
        List<Generation> outputs = new Generator(model, Optional.empty())
                .generate(prompts, DECODING, Math.min(TOKENS, positions - longest));
        List<Sample> samples = new ArrayList<>();
        for (int i = 0; i < outputs.size(); i++) {
            samples.add(new Sample(
                    beginnings.get(i), tokenizer.decode(outputs.get(i).ids()), Optional.empty()));
        }
        return samples;
    }
}
