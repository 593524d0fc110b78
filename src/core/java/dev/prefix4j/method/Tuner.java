package dev.prefix4j.method;

import dev.prefix4j.frozen.Adaptation;
import dev.prefix4j.prefix.Gradient;
import dev.prefix4j.torch.Draws;
import java.util.Map;
import org.bytedeco.pytorch.Tensor;

/**
 * What a method trains on the frozen engine. It provides what sequences are adapted by, and takes the gradient with respect to that. It
 * never calls the engine; {@link EngineStep} does.
 */
public sealed interface Tuner permits SoftPromptTuner, ExtensionTuner {
    /** What is trained, by name in a fixed order; the tuner's own tensors. */
    Map<String, Tensor> parameters();

    /** Positions that a sequence cannot use. */
    int taken();

    /** What the parameters give now; its tensors belong to the open scope. */
    Given given();

    /** Begins a step, in the open scope. */
    Step step();

    /** What a file stores, as {@link Method#stored} says; in the open scope. */
    Map<String, Tensor> stored();

    /** What sequences are adapted by. */
    sealed interface Given {
        /** Ready to use. */
        record Ready(Adaptation adaptation) implements Given {}

        /**
         * Vectors at the beginning, which the model reads once for all sequences.
         *
         * @param vectors [P, E]
         */
        record ToRead(Tensor vectors) implements Given {}
    }

    /** A step: the gradients of its batches are summed. */
    interface Step {
        /**
         * What the sequences of a batch are adapted by.
         *
         * @param dropout probability that a value of a soft prompt is zeroed
         * @param draws determine which
         */
        Given give(double dropout, Draws draws);

        /**
         * Adds the gradient of a batch.
         *
         * @param gradient with respect to what was given last; for vectors that were read, it is in {@code embeddings}
         */
        void take(Adaptation.Gradient gradient);

        /** The sums, by the names of {@link #parameters}. */
        Map<String, Gradient> gradients();
    }
}
