package dev.prefix4j.method;

import dev.prefix4j.frozen.FrozenModel;
import dev.prefix4j.model.BaseModel;

/** Makes frozen models; the caller chooses their precision and purpose. */
@FunctionalInterface
public interface Freezer {
    /** @return uses the model's tensors, which must stay open */
    FrozenModel freeze(BaseModel model, FrozenModel.Changes changes);
}
