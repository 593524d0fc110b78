package dev.prefix4j.task;

import dev.prefix4j.frozen.FrozenModel;
import dev.prefix4j.frozen.Precision;
import dev.prefix4j.method.Freezer;
import dev.prefix4j.model.BaseModel;

/**
 * How a frozen base model computes.
 *
 * @param precision of its matrix products
 * @param recompute in training: store only the input of each block and recompute the rest in the backward pass; less memory, more time
 */
public record Engine(Precision precision, boolean recompute) {
    /** In float32. */
    public static final Engine FP32 = new Engine(Precision.FP32, false);

    /** In 8-bit integers: faster, and slightly less accurate. */
    public static final Engine INT8 = new Engine(Precision.INT8, false);

    /**
     * By the name of a precision.
     *
     * @throws dev.prefix4j.InputException if it is neither fp32 nor int8
     */
    public static Engine parse(String precision) {
        return new Engine(Precision.parse(precision), false);
    }

    /** The same engine with this value of {@link #recompute}. */
    public Engine recomputing(boolean wanted) {
        return new Engine(precision, wanted);
    }

    /** For training and scoring. */
    Freezer freezer() {
        return (model, changes) -> new FrozenModel(model, changes, options(model));
    }

    /** For decoding. */
    Freezer decoder() {
        return (model, changes) ->
                new FrozenModel(model, changes, options(model).forDecoding());
    }

    private FrozenModel.Options options(BaseModel model) {
        FrozenModel.Options options = FrozenModel.Options.of(model, precision);
        return recompute ? options.recomputing() : options;
    }
}
