package dev.prefix4j.method;

import dev.prefix4j.frozen.Conditioned;
import dev.prefix4j.gpt2.Gpt2;
import dev.prefix4j.gpt2.Gpt2Config;
import java.util.List;
import java.util.Map;
import org.bytedeco.pytorch.Tensor;

/** Methods that learn keys and values. */
sealed interface ActivationMethod extends Method permits PrefixTuning, InfixTuning, LayerTuning {
    /** Which. */
    Activations activations(Gpt2Config config);

    @Override
    default Map<String, List<Long>> stored(Gpt2Config config) {
        return activations(config).stored();
    }

    @Override
    default long trainedNumbers(Gpt2Config config) {
        return activations(config).trainedNumbers();
    }

    @Override
    default Conditioned apply(Gpt2 model, Freezer freezer, Map<String, Tensor> stored) {
        return activations(model.config()).apply(model, freezer, stored);
    }

    @Override
    default Tuner tuner(Gpt2 model, Freezer freezer) {
        return activations(model.config()).tuner(model, freezer);
    }
}
