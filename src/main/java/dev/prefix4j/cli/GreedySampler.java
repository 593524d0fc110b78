package dev.prefix4j.cli;

import dev.prefix4j.generate.Decoding;
import dev.prefix4j.generate.Generation;
import dev.prefix4j.generate.Generator;
import dev.prefix4j.gpt2.Gpt2;
import dev.prefix4j.prefix.Prefix;
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

/** Writes targets for the first sources of the data, greedily. */
final class GreedySampler implements Sampler {
    private static final int SOURCES = 3;
    private static final int MAX_NEW_TOKENS = 60;

    private final Gpt2 model;
    private final Tokenizer tokenizer;
    private final Map<String, String> references = new LinkedHashMap<>();
    private final List<int[]> prompts;
    private final int maxNewTokens;

    /** @param examples each with a target that fits into the model behind the prefix */
    GreedySampler(Gpt2 model, Tokenizer tokenizer, List<Example> examples, ModelOptions options, int prefixLength) {
        this.model = model;
        this.tokenizer = tokenizer;
        for (Example example : examples) {
            if (references.size() < SOURCES) {
                references.putIfAbsent(example.source(), example.targets().getFirst());
            }
        }
        prompts = references.keySet().stream()
                .map(source -> options.cutPrompt(Sequences.prompt(source, tokenizer, model.config().bos()), true))
                .toList();
        int longest = prompts.stream().mapToInt(ids -> ids.length).max().orElse(0);
        maxNewTokens = Math.min(MAX_NEW_TOKENS, model.config().positions() - prefixLength - longest);
    }

    @Override
    public List<Sample> sample(Prefix prefix) {
        List<Generation> outputs =
                new Generator(model, Optional.of(prefix)).generate(prompts, new Decoding.Greedy(), maxNewTokens);
        List<Sample> samples = new ArrayList<>();
        references.forEach((source, reference) -> samples.add(new Sample(
                source, tokenizer.decode(outputs.get(samples.size()).ids()).strip(), Optional.of(reference))));
        return samples;
    }
}
