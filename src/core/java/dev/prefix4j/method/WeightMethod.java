package dev.prefix4j.method;

import dev.prefix4j.frozen.Conditioned;
import dev.prefix4j.frozen.FrozenModel;
import dev.prefix4j.model.AutogradModel;
import dev.prefix4j.model.BaseModel;
import dev.prefix4j.model.ModelConfig;
import java.util.Map;
import org.bytedeco.pytorch.Tensor;

/** Methods that learn weights, and keep what they train. */
sealed interface WeightMethod extends Method permits FineTuning, TopTuning, AdapterTuning, LoraTuning, StoredLora {
    /**
     * What a model has other than its checkpoint.
     *
     * @param stored by the names of {@link #stored}
     */
    FrozenModel.Changes changes(BaseModel model, Map<String, Tensor> stored);

    /**
     * What is trained, with first values.
     *
     * @param parameters by the names of {@link #stored}
     * @param model with them in it
     */
    record Trained(Map<String, Tensor> parameters, AutogradModel model) {}

    /** What is trained of a model, which stays as it is. */
    Trained trained(BaseModel model);

    @Override
    default long trainedNumbers(ModelConfig config) {
        return storedNumbers(config);
    }

    @Override
    default Conditioned apply(BaseModel model, Freezer freezer, Map<String, Tensor> stored) {
        return Conditioned.tuned(freezer.freeze(model, changes(model, stored)));
    }

    @Override
    default Tuner tuner(BaseModel model, Freezer freezer) {
        return new WeightTuner(trained(model), stored -> apply(model, freezer, stored));
    }
}
