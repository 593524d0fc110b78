package dev.prefix4j.method;

import dev.prefix4j.frozen.Conditioned;
import dev.prefix4j.model.BaseModel;
import dev.prefix4j.model.ModelConfig;
import dev.prefix4j.torch.Draws;
import java.util.List;
import java.util.Map;
import org.bytedeco.pytorch.Tensor;

/** Methods that learn keys and values. */
sealed interface ActivationMethod extends EngineMethod permits PrefixTuning, InfixTuning, LayerTuning {
    /** The keys and values that are learned. */
    Activations activations(ModelConfig config);

    @Override
    default Map<String, List<Long>> stored(ModelConfig config) {
        return activations(config).stored();
    }

    @Override
    default long trainedNumbers(ModelConfig config) {
        return activations(config).trainedNumbers();
    }

    @Override
    default Conditioned apply(BaseModel model, Freezer freezer, Map<String, Tensor> stored) {
        return activations(model.config()).apply(model, freezer, stored);
    }

    @Override
    default Tuner tuner(BaseModel model, Draws draws) {
        return activations(model.config()).tuner(model, draws);
    }
}
