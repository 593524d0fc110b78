package dev.prefix4j.method;

import dev.prefix4j.frozen.FrozenModel;
import dev.prefix4j.model.AutogradModel;
import dev.prefix4j.model.BaseModel;
import dev.prefix4j.model.Extension;
import java.util.Map;
import org.bytedeco.pytorch.Tensor;

/** Methods that train a model's own weights, with autograd through all of it. */
sealed interface AutogradMethod extends WeightMethod permits FineTuning, TopTuning {
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
    default FrozenModel.Changes changes(BaseModel model, Map<String, Tensor> stored) {
        return new FrozenModel.Changes(stored, Extension.NONE);
    }

    @Override
    default Tuning tuning(BaseModel model, Freezer freezer, long seed) {
        return new AutogradTuning(trained(model), stored -> apply(model, freezer, stored));
    }
}
