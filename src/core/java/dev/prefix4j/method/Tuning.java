package dev.prefix4j.method;

import dev.prefix4j.frozen.Conditioned;
import dev.prefix4j.prefix.Gradient;
import dev.prefix4j.text.Sequence;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.bytedeco.pytorch.Tensor;

/** What a method trains for a model, as a trainer sees it. */
public sealed interface Tuning permits EngineTuning, AutogradTuning {
    /** What is trained, by name in a fixed order. */
    Map<String, Tensor> parameters();

    /**
     * The loss of sequences and its gradient.
     *
     * @param parts batches that are computed one after the other
     * @param goal what is minimized
     * @param weight of each target's loss in the gradient
     * @param seed of what is random
     * @return with tensors that belong to the open scope
     */
    Result gradients(List<List<Sequence>> parts, Goal goal, double weight, long seed);

    /**
     * What is minimized.
     *
     * @param smoothing as in {@link dev.prefix4j.frozen.Objective}
     * @param teacher its predictions replace the targets
     * @param dropout probability that a value of a soft prompt is zeroed
     */
    record Goal(double smoothing, Optional<Conditioned> teacher, double dropout) {
        /** The negative log-likelihood. */
        public static final Goal LIKELIHOOD = new Goal(0, Optional.empty(), 0);
    }

    /**
     * A loss and its gradient.
     *
     * @param loss sum over the targets, in nats
     * @param gradients of the weighted loss, by the names of {@link #parameters}
     */
    record Result(double loss, Map<String, Gradient> gradients) {}

    /** Positions that a sequence cannot use. */
    int taken();

    /**
     * Checks that a sequence fits into the model, without the positions that are {@link #taken}.
     *
     * @param tokens of the sequence
     * @throws dev.prefix4j.InputException with the budget spelled out
     */
    void requireRoom(int tokens);

    /** The model as it is now; its tensors belong to the open scope. */
    Conditioned current();

    /** What a file stores, as {@link Method#stored} says; in the open scope. */
    Map<String, Tensor> stored();
}
