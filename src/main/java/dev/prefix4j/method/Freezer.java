package dev.prefix4j.method;

import dev.prefix4j.frozen.FrozenGpt2;
import dev.prefix4j.gpt2.Gpt2;

/** Makes frozen models: in which precision, and for what, is the caller's choice. */
@FunctionalInterface
public interface Freezer {
    /** @return on the model's tensors, which must stay open */
    FrozenGpt2 freeze(Gpt2 model, FrozenGpt2.Changes changes);
}
