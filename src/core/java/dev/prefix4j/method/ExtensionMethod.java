package dev.prefix4j.method;

import dev.prefix4j.model.BaseModel;
import dev.prefix4j.model.Extension;
import dev.prefix4j.model.ModelConfig;
import dev.prefix4j.torch.Draws;
import java.util.LinkedHashMap;
import java.util.Map;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;

/** Methods that train additions to the blocks. */
sealed interface ExtensionMethod extends EngineMethod, WeightMethod permits AdapterTuning, LoraTuning {
    /** @param tensors by the names of {@link #stored} */
    Extension extension(ModelConfig config, Map<String, Tensor> tensors);

    /**
     * Initial values of a tensor, on the CPU.
     *
     * @param name one of {@link #stored}
     */
    Tensor first(String name, long[] shape, Draws draws);

    @Override
    default Tuner tuner(BaseModel model, Draws draws) {
        Map<String, Tensor> parameters = new LinkedHashMap<>();
        stored(model.config()).forEach((name, shape) -> {
            Tensor values =
                    first(name, shape.stream().mapToLong(Long::longValue).toArray(), draws);
            parameters.put(name, values.to(model.device(), torch.ScalarType.Float));
        });
        return new ExtensionTuner(parameters, extension(model.config(), parameters), model.config());
    }
}
