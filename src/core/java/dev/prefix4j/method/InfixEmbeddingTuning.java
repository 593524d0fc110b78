package dev.prefix4j.method;

import dev.prefix4j.Named;
import dev.prefix4j.frozen.Adaptation;
import dev.prefix4j.frozen.Conditioned;
import dev.prefix4j.frozen.FrozenModel;
import dev.prefix4j.frozen.SoftPrompt;
import dev.prefix4j.model.BaseModel;
import dev.prefix4j.model.ModelConfig;
import java.util.Map;
import org.bytedeco.pytorch.Tensor;

/**
 * Embeddings of virtual tokens between source and target: they see the source, and only the target sees them. Ours: the
 * embeddings of section 7.2 of Li and Liang 2021 in the place of section 7.3's infix. They are read as tokens of every sequence.
 */
public record InfixEmbeddingTuning(Vectors vectors) implements EmbeddingMethod {
    @Override
    public String name() {
        return "infix-embedding";
    }

    @Override
    public Conditioned apply(BaseModel model, Freezer freezer, Map<String, Tensor> stored) {
        return new Conditioned(
                freezer.freeze(model, FrozenModel.Changes.NONE),
                SoftPrompt.embeddings(Named.get(stored, SoftPromptTuner.VECTORS), model.config()));
    }

    @Override
    public SoftPromptTuner.Kind kind(ModelConfig config) {
        return new SoftPromptTuner.Kind() {
            @Override
            public Tuner.Given given(Tensor rows) {
                return new Tuner.Given.Ready(Adaptation.of(SoftPrompt.embeddings(rows, config)));
            }

            @Override
            public Tensor back(Adaptation.Gradient gradient) {
                return gradient.embeddings();
            }

            @Override
            public Tensor ofWords(FrozenModel engine, int[] ids) {
                return engine.embeddings(ids);
            }
        };
    }
}
