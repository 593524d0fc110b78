package dev.prefix4j.method;

import dev.prefix4j.frozen.Conditioned;
import dev.prefix4j.frozen.FrozenModel;
import dev.prefix4j.frozen.SoftPrompt;
import dev.prefix4j.model.BaseModel;
import java.util.Map;
import org.bytedeco.pytorch.Tensor;

/**
 * Embeddings of virtual tokens between source and target: they see the source, and only the target sees them. Ours: the
 * embeddings of section 7.2 of Li and Liang 2021 at the place of the infix of section 7.3. So they are tokens of every sequence.
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
                SoftPrompt.embeddings(stored.get(SoftPromptTuner.VECTORS), model.config()));
    }

    @Override
    public SoftPromptTuner.Kind kind(BaseModel model) {
        return new SoftPromptTuner.Kind() {
            @Override
            public SoftPrompt prompt(Tensor rows) {
                return SoftPrompt.embeddings(rows, model.config());
            }

            @Override
            public Tensor back(FrozenModel.Gradient gradient) {
                return gradient.embeddings();
            }

            @Override
            public Tensor ofWords(BaseModel base, int[] ids) {
                return Words.embeddings(base, ids);
            }
        };
    }
}
