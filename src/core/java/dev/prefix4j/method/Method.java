package dev.prefix4j.method;

import dev.prefix4j.InputException;
import dev.prefix4j.frozen.Conditioned;
import dev.prefix4j.model.BaseModel;
import dev.prefix4j.model.ModelConfig;
import java.util.List;
import java.util.Map;
import org.bytedeco.pytorch.Tensor;

/** A way to adapt a model to a task. */
public sealed interface Method permits EngineMethod, WeightMethod, InContext {
    /** As {@code --method} names it. */
    String name();

    /** Names and shapes of what is kept. */
    Map<String, List<Long>> stored(ModelConfig config);

    /** Numbers that are trained. */
    long trainedNumbers(ModelConfig config);

    /** Numbers that are kept. */
    default long storedNumbers(ModelConfig config) {
        return stored(config).values().stream()
                .mapToLong(shape -> shape.stream().mapToLong(Long::longValue).reduce(1, Math::multiplyExact))
                .sum();
    }

    /**
     * The model with what was learned.
     *
     * @param stored by the names and of the shapes of {@link #stored}, on the model's device
     * @return with tensors that belong to the open scope
     */
    Conditioned apply(BaseModel model, Freezer freezer, Map<String, Tensor> stored);

    /**
     * What is trained, with first values, beside the model.
     *
     * @param model stays as it is, save for methods that train its own weights
     * @param seed of the first values
     * @return with tensors that belong to the open scope
     */
    Tuning tuning(BaseModel model, Freezer freezer, long seed);

    /** @throws InputException naming the value */
    static void atLeast(String name, int value, int least) {
        if (value < least) {
            throw new InputException("%s must be at least %d, was %d".formatted(name, least, value));
        }
    }
}
