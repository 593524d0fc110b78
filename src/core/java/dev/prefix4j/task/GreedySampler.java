package dev.prefix4j.task;

import dev.prefix4j.frozen.Conditioned;
import dev.prefix4j.generate.Decoding;
import dev.prefix4j.generate.Generation;
import dev.prefix4j.generate.Generator;
import dev.prefix4j.text.Example;
import dev.prefix4j.text.Sequences;
import dev.prefix4j.text.Tokenizer;
import dev.prefix4j.train.Sample;
import dev.prefix4j.train.Sampler;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** Generates targets greedily for a few sources spread over the data. */
final class GreedySampler implements Sampler {
    private static final int SOURCES = 3;
    private static final int MAX_NEW_TOKENS = 60;

    private final Tokenizer tokenizer;
    private final Map<String, String> references = new LinkedHashMap<>();
    private final List<int[]> prompts;
    private final int maxNewTokens;

    /**
     * @param examples each with a target that fits into the model
     * @param taken positions that the method occupies
     */
    GreedySampler(LanguageModel model, List<Example> examples, Encoding encoding, int taken) {
        this.tokenizer = model.tokenizer();
        Map<String, String> all = new LinkedHashMap<>();
        examples.forEach(
                example -> all.putIfAbsent(example.source(), example.targets().getFirst()));
        List<String> sources = List.copyOf(all.keySet());
        for (int i = 0; i < Math.min(SOURCES, sources.size()); i++) {
            String source =
                    sources.get(i * sources.size() / Math.min(SOURCES, sources.size())); // neighbours are often similar
            references.put(source, all.get(source));
        }
        prompts = references.keySet().stream()
                .map(source -> encoding.cut(
                        Sequences.prompt(source, tokenizer, model.config().bos()), tokenizer, true))
                .toList();
        int longest = prompts.stream().mapToInt(ids -> ids.length).max().orElse(0);
        maxNewTokens = Math.min(MAX_NEW_TOKENS, model.config().positions() - taken - longest);
    }

    @Override
    public List<Sample> sample(Conditioned model) {
        List<Generation> outputs = new Generator(model).generate(prompts, new Decoding.Greedy(), maxNewTokens);
        List<Sample> samples = new ArrayList<>();
        references.forEach((source, reference) -> samples.add(new Sample(
                source, tokenizer.decode(outputs.get(samples.size()).ids()).strip(), Optional.of(reference))));
        return samples;
    }
}
