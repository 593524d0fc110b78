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
 * Embeddings of virtual tokens at the beginning: only the input is adapted (Li and Liang 2021, section 7.2; Lester et al. 2021,
 * arXiv:2104.08691, later called it prompt tuning).
 *
 * <p>Nothing comes before the virtual tokens, so their keys and values do not depend on the source: the model reads them once,
 * and then they are a prefix like any other.
 */
public record EmbeddingTuning(Vectors vectors) implements EmbeddingMethod {
    @Override
    public String name() {
        return "embedding";
    }

    @Override
    public Conditioned apply(BaseModel model, Freezer freezer, Map<String, Tensor> stored) {
        FrozenModel engine = freezer.freeze(model, FrozenModel.Changes.NONE);
        Tensor activations = Words.activations(engine, Named.get(stored, SoftPromptTuner.VECTORS));
        return new Conditioned(engine, SoftPrompt.prefix(activations, model.config()));
    }

    @Override
    public SoftPromptTuner.Kind kind(ModelConfig config) {
        return new SoftPromptTuner.Kind() {
            @Override
            public Tuner.Given given(Tensor rows) {
                return new Tuner.Given.ToRead(rows);
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
