package dev.prefix4j.method;

import dev.prefix4j.InputException;
import dev.prefix4j.frozen.Conditioned;
import dev.prefix4j.gpt2.Gpt2;
import dev.prefix4j.gpt2.Gpt2Config;
import java.util.List;
import java.util.Map;
import org.bytedeco.pytorch.Tensor;

/** A way to adapt a model to a task. */
public sealed interface Method permits ActivationMethod, EmbeddingMethod, WeightMethod, InContext {
    /** As {@code --method} names it. */
    String name();

    /** Names and shapes of what is kept. */
    Map<String, List<Long>> stored(Gpt2Config config);

    /** Numbers that are trained. */
    long trainedNumbers(Gpt2Config config);

    /** Numbers that are kept. */
    default long storedNumbers(Gpt2Config config) {
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
    Conditioned apply(Gpt2 model, Freezer freezer, Map<String, Tensor> stored);

    /**
     * What is trained, with first values.
     *
     * @param model stays as it is, save for methods that train its own weights
     * @return with tensors that belong to the open scope
     */
    Tuner tuner(Gpt2 model, Freezer freezer);

    /** @throws InputException naming the value */
    static void atLeast(String name, int value, int least) {
        if (value < least) {
            throw new InputException("%s must be at least %d, was %d".formatted(name, least, value));
        }
    }
}
