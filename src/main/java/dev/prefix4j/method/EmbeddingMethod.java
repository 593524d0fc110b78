package dev.prefix4j.method;

import dev.prefix4j.frozen.FrozenGpt2;
import dev.prefix4j.gpt2.Gpt2;
import dev.prefix4j.gpt2.Gpt2Config;
import java.util.List;
import java.util.Map;

/** Methods that learn embeddings of virtual tokens. */
sealed interface EmbeddingMethod extends Method permits EmbeddingTuning, InfixEmbeddingTuning {
    Vectors vectors();

    /** What they mean to a model. */
    SoftPromptTuner.Kind kind(Gpt2 model);

    @Override
    default Map<String, List<Long>> stored(Gpt2Config config) {
        return Map.of(SoftPromptTuner.VECTORS, List.of((long) vectors().length(), (long) config.width()));
    }

    @Override
    default long trainedNumbers(Gpt2Config config) {
        return vectors().trainedNumbers(config.width(), config.width());
    }

    @Override
    default Tuner tuner(Gpt2 model, Freezer freezer) {
        int width = model.config().width();
        return new SoftPromptTuner(
                freezer.freeze(model, FrozenGpt2.Changes.NONE),
                vectors().encoder(width, width, model.device()),
                kind(model));
    }
}
