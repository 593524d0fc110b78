package dev.prefix4j.method;

import dev.prefix4j.model.BaseModel;
import dev.prefix4j.model.ModelConfig;
import dev.prefix4j.torch.Draws;
import java.util.List;
import java.util.Map;

/** Methods that learn embeddings of virtual tokens. */
sealed interface EmbeddingMethod extends EngineMethod permits EmbeddingTuning, InfixEmbeddingTuning {
    Vectors vectors();

    /** How a model uses them. */
    SoftPromptTuner.Kind kind(ModelConfig config);

    @Override
    default Map<String, List<Long>> stored(ModelConfig config) {
        return Map.of(SoftPromptTuner.VECTORS, List.of((long) vectors().length(), (long) config.width()));
    }

    @Override
    default long trainedNumbers(ModelConfig config) {
        return vectors().trainedNumbers(config.width(), config.width());
    }

    @Override
    default Tuner tuner(BaseModel model, Draws draws) {
        int width = model.config().width();
        return new SoftPromptTuner(vectors().encoder(width, width, model.device(), draws), kind(model.config()));
    }
}
