package dev.prefix4j.method;

import dev.prefix4j.frozen.FrozenModel;
import dev.prefix4j.model.AutogradModel;
import dev.prefix4j.model.BaseModel;
import dev.prefix4j.model.Extension;
import java.util.Map;
import org.bytedeco.pytorch.Tensor;

/** Methods that train a model's own weights, with autograd through the whole model. */
sealed interface AutogradMethod extends WeightMethod permits FineTuning, TopTuning {
    /**
     * What is trained, with initial values.
     *
     * @param parameters by the names of {@link #stored}
     * @param model that uses them
     */
    record Trained(Map<String, Tensor> parameters, AutogradModel model) {}

    /** What is trained: copies of weights, so the model does not change. */
    Trained trained(BaseModel model);

    @Override
    default FrozenModel.Changes changes(BaseModel model, Map<String, Tensor> stored) {
        return new FrozenModel.Changes(stored, Extension.NONE);
    }

    @Override
    default Tuning tuning(BaseModel model, Freezer freezer, long seed) {
        return new AutogradTuning(trained(model), stored -> apply(model, freezer, stored));
    }
}
