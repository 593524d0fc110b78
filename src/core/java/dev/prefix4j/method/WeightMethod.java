package dev.prefix4j.method;

import dev.prefix4j.frozen.Conditioned;
import dev.prefix4j.frozen.FrozenModel;
import dev.prefix4j.model.BaseModel;
import dev.prefix4j.model.ModelConfig;
import java.util.Map;
import org.bytedeco.pytorch.Tensor;

/** Methods that change a model's blocks or weights, and store what they train. */
sealed interface WeightMethod extends Method permits AutogradMethod, ExtensionMethod, StoredLora {
    /**
     * How a model differs from its checkpoint.
     *
     * @param stored by the names of {@link #stored}
     */
    FrozenModel.Changes changes(BaseModel model, Map<String, Tensor> stored);

    @Override
    default long trainedNumbers(ModelConfig config) {
        return storedNumbers(config);
    }

    @Override
    default Conditioned apply(BaseModel model, Freezer freezer, Map<String, Tensor> stored) {
        return Conditioned.tuned(freezer.freeze(model, changes(model, stored)));
    }
}
