package dev.prefix4j.method;

import dev.prefix4j.frozen.Conditioned;
import dev.prefix4j.frozen.FrozenGpt2;
import dev.prefix4j.frozen.SoftPrompt;
import dev.prefix4j.gpt2.Gpt2;
import dev.prefix4j.gpt2.Gpt2Config;
import java.util.List;
import java.util.Map;
import org.bytedeco.pytorch.Tensor;

/**
 * Embeddings of virtual tokens between source and target: they see the source, and only the target sees them (Li and Liang
 * 2021, section 7.3). So they are tokens of every sequence.
 */
public record InfixEmbeddingTuning(Vectors vectors) implements Method {
    @Override
    public String name() {
        return "infix-embedding";
    }

    @Override
    public Map<String, List<Long>> stored(Gpt2Config config) {
        return Map.of(SoftPrompts.VECTORS, List.of((long) vectors.length(), (long) config.width()));
    }

    @Override
    public long trainedNumbers(Gpt2Config config) {
        return vectors.trainedNumbers(config.width(), config.width());
    }

    @Override
    public Conditioned apply(Gpt2 model, Freezer freezer, Map<String, Tensor> stored) {
        return new Conditioned(
                freezer.freeze(model, FrozenGpt2.Changes.NONE),
                SoftPrompt.embeddings(stored.get(SoftPrompts.VECTORS), model.config()));
    }

    @Override
    public Tuner tuner(Gpt2 model, Freezer freezer) {
        int width = model.config().width();
        SoftPrompts.Kind kind = new SoftPrompts.Kind() {
            @Override
            public SoftPrompt prompt(Tensor rows) {
                return SoftPrompt.embeddings(rows, model.config());
            }

            @Override
            public Tensor back(FrozenGpt2.Gradient gradient) {
                return gradient.embeddings();
            }

            @Override
            public Tensor ofWords(Gpt2 base, int[] ids) {
                return Words.embeddings(base, ids);
            }
        };
        return new SoftPrompts(
                freezer.freeze(model, FrozenGpt2.Changes.NONE), vectors.encoder(width, width, model.device()), kind);
    }
}
