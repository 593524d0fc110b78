package dev.prefix4j.method;

import dev.prefix4j.frozen.Conditioned;
import dev.prefix4j.frozen.FrozenModel;
import dev.prefix4j.frozen.SoftPrompt;
import dev.prefix4j.model.BaseModel;
import java.util.Map;
import org.bytedeco.pytorch.Tensor;

/**
 * Embeddings of virtual tokens before everything: the input only (Li and Liang 2021, section 7.2; Lester et al. 2021,
 * arXiv:2104.08691, later called it prompt tuning).
 *
 * <p>Nothing stands before the virtual tokens, so their keys and values do not depend on the source: they are computed once,
 * with autograd, and are then a prefix like any other.
 */
public record EmbeddingTuning(Vectors vectors) implements EmbeddingMethod {
    @Override
    public String name() {
        return "embedding";
    }

    @Override
    public Conditioned apply(BaseModel model, Freezer freezer, Map<String, Tensor> stored) {
        SoftPrompt prompt =
                SoftPrompt.prefix(Words.activations(model, stored.get(SoftPromptTuner.VECTORS)), model.config());
        return new Conditioned(freezer.freeze(model, FrozenModel.Changes.NONE), prompt.withoutGraph());
    }

    @Override
    public SoftPromptTuner.Kind kind(BaseModel model) {
        return new ThroughModel(model);
    }

    private static final class ThroughModel implements SoftPromptTuner.Kind {
        private final BaseModel model;
        private Tensor embeddings; // [P, E], a leaf
        private Tensor activations; // [P, 2·L·W]

        ThroughModel(BaseModel model) {
            this.model = model;
        }

        @Override
        public SoftPrompt prompt(Tensor vectors) {
            embeddings = vectors.detach().requires_grad_(true);
            activations = Words.activations(model, embeddings);
            return SoftPrompt.prefix(activations, model.config());
        }

        @Override
        public Tensor back(FrozenModel.Gradient gradient) {
            Graphs.backward(activations, gradient.gradient());
            return embeddings.grad();
        }

        @Override
        public Tensor ofWords(BaseModel base, int[] ids) {
            return Words.embeddings(base, ids);
        }
    }
}
