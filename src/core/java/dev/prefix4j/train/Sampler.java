package dev.prefix4j.train;

import dev.prefix4j.frozen.Conditioned;
import java.util.List;

/** Generates a few texts with what has been learned so far, always from the same sources. */
@FunctionalInterface
public interface Sampler {
    /** Generates nothing. */
    Sampler NONE = _ -> List.of();

    /** @param model as it is now; its tensors are freed after the call */
    List<Sample> sample(Conditioned model);
}
