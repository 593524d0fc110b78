package dev.prefix4j.method;

import dev.prefix4j.frozen.FrozenModel;
import dev.prefix4j.model.BaseModel;

/** Makes frozen models: in which precision, and for what, is the caller's choice. */
@FunctionalInterface
public interface Freezer {
    /** @return on the model's tensors, which must stay open */
    FrozenModel freeze(BaseModel model, FrozenModel.Changes changes);
}
