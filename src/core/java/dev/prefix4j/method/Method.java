package dev.prefix4j.method;

import dev.prefix4j.frozen.Conditioned;
import dev.prefix4j.model.BaseModel;
import dev.prefix4j.model.ModelConfig;
import java.util.List;
import java.util.Map;
import org.bytedeco.pytorch.Tensor;

/** A way to adapt a model to a task. */
public sealed interface Method permits EngineMethod, WeightMethod, InContext {
    /** Its name in {@code --method}. */
    String name();

    /** Names and shapes of the stored tensors. */
    Map<String, List<Long>> stored(ModelConfig config);

    /** Number of trained parameters. */
    long trainedNumbers(ModelConfig config);

    /** Number of stored values. */
    default long storedNumbers(ModelConfig config) {
        return stored(config).values().stream()
                .mapToLong(shape -> shape.stream().mapToLong(Long::longValue).reduce(1, Math::multiplyExact))
                .sum();
    }

    /**
     * The model with what was learned.
     *
     * @param stored with the names and shapes of {@link #stored}, on the model's device
     * @return with tensors that belong to the open scope
     */
    Conditioned apply(BaseModel model, Freezer freezer, Map<String, Tensor> stored);

    /**
     * What is trained, with initial values.
     *
     * @param model does not change
     * @param seed of the initial values
     * @return with tensors that belong to the open scope
     */
    Tuning tuning(BaseModel model, Freezer freezer, long seed);
}
