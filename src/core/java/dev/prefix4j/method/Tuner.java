package dev.prefix4j.method;

import dev.prefix4j.frozen.Adaptation;
import dev.prefix4j.prefix.Gradient;
import dev.prefix4j.torch.Draws;
import java.util.Map;
import org.bytedeco.pytorch.Tensor;

/**
 * What a method trains on the frozen engine. It gives what sequences are adapted by, and takes the gradient of that; it never calls the
 * engine ({@link EngineStep} does).
 */
public sealed interface Tuner permits SoftPromptTuner, ExtensionTuner {
    /** What is trained, by name in a fixed order; the tuner's own tensors. */
    Map<String, Tensor> parameters();

    /** Positions that a sequence cannot use. */
    int taken();

    /** What the parameters make now; with tensors that belong to the open scope. */
    Given given();

    /** Begins a step, in the open scope. */
    Step step();

    /** What a file keeps of it, as {@link Method#stored} says; in the open scope. */
    Map<String, Tensor> stored();

    /** What sequences are adapted by. */
    sealed interface Given {
        /** Ready to use. */
        record Ready(Adaptation adaptation) implements Given {}

        /**
         * Vectors that stand before everything and are read by the model once for all sequences.
         *
         * @param vectors [P, E]
         */
        record ToRead(Tensor vectors) implements Given {}
    }

    /** A step: the gradients of its batches are summed. */
    interface Step {
        /**
         * For a batch.
         *
         * @param dropout probability that a number of a soft prompt is zeroed
         * @param draws decide which
         */
        Given give(double dropout, Draws draws);

        /**
         * Adds the gradient of a batch.
         *
         * @param gradient of what was given last; of vectors that were read it is in the place of {@code embeddings}
         */
        void take(Adaptation.Gradient gradient);

        /** The sums, by the names of {@link #parameters}. */
        Map<String, Gradient> gradients();
    }
}
