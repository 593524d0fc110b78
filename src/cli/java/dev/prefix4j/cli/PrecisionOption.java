package dev.prefix4j.cli;

import dev.prefix4j.frozen.FrozenModel;
import dev.prefix4j.frozen.Precision;
import dev.prefix4j.model.BaseModel;
import picocli.CommandLine.Option;

/** In what numbers the frozen model multiplies. */
final class PrecisionOption {
    @Option(
            names = "--precision",
            paramLabel = "P",
            defaultValue = "fp32",
            description = "Numbers that the model multiplies: fp32, or int8, which is faster and a little less exact.")
    String precision;

    /** @throws dev.prefix4j.InputException if there is no such precision; before anything is loaded */
    Precision parse() {
        return Precision.parse(precision);
    }

    FrozenModel freeze(BaseModel model, FrozenModel.Changes changes) {
        return freeze(model, changes, false);
    }

    /** @param recompute as {@link FrozenModel.Options} says */
    FrozenModel freeze(BaseModel model, FrozenModel.Changes changes, boolean recompute) {
        FrozenModel.Options options = FrozenModel.Options.of(model, parse());
        return new FrozenModel(model, changes, recompute ? options.recomputing() : options);
    }

    FrozenModel freezeForDecoding(BaseModel model, FrozenModel.Changes changes) {
        return new FrozenModel(
                model, changes, FrozenModel.Options.of(model, parse()).forDecoding());
    }
}
