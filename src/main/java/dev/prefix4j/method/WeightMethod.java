package dev.prefix4j.method;

import dev.prefix4j.frozen.Conditioned;
import dev.prefix4j.frozen.FrozenGpt2;
import dev.prefix4j.gpt2.Gpt2;
import dev.prefix4j.gpt2.Gpt2Config;
import java.util.Map;
import org.bytedeco.pytorch.Tensor;

/** Methods that learn weights, and keep what they train. */
sealed interface WeightMethod extends Method permits FineTuning, TopTuning, AdapterTuning, LoraTuning, StoredLora {
    /**
     * What a model has other than its checkpoint.
     *
     * @param stored by the names of {@link #stored}
     */
    FrozenGpt2.Changes changes(Gpt2 model, Map<String, Tensor> stored);

    /** What is trained, with first values; it is in the model from now on. */
    Map<String, Tensor> parameters(Gpt2 model);

    @Override
    default long trainedNumbers(Gpt2Config config) {
        return storedNumbers(config);
    }

    @Override
    default Conditioned apply(Gpt2 model, Freezer freezer, Map<String, Tensor> stored) {
        return Conditioned.tuned(freezer.freeze(model, changes(model, stored)));
    }

    @Override
    default Tuner tuner(Gpt2 model, Freezer freezer) {
        return new WeightTuner(model, parameters(model), stored -> apply(model, freezer, stored));
    }
}
