package dev.prefix4j.method;

import dev.prefix4j.frozen.FrozenModel;
import dev.prefix4j.model.BaseModel;
import dev.prefix4j.torch.Draws;

/** Methods that train on the frozen engine. */
sealed interface EngineMethod extends Method permits ActivationMethod, EmbeddingMethod, ExtensionMethod {
    /**
     * What is trained, with initial values.
     *
     * @param model determines geometry and device
     * @return with tensors that belong to the open scope
     */
    Tuner tuner(BaseModel model, Draws draws);

    @Override
    default Tuning tuning(BaseModel model, Freezer freezer, long seed) {
        return new EngineTuning(tuner(model, new Draws(seed)), freezer.freeze(model, FrozenModel.Changes.NONE));
    }
}
