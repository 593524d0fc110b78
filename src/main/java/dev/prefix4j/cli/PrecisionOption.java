package dev.prefix4j.cli;

import dev.prefix4j.frozen.FrozenGpt2;
import dev.prefix4j.frozen.Precision;
import dev.prefix4j.gpt2.Gpt2;
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

    FrozenGpt2 freeze(Gpt2 model, FrozenGpt2.Changes changes) {
        return freeze(model, changes, false);
    }

    /** @param recompute as {@link FrozenGpt2.Options} says */
    FrozenGpt2 freeze(Gpt2 model, FrozenGpt2.Changes changes, boolean recompute) {
        FrozenGpt2.Options options = FrozenGpt2.Options.of(model, parse());
        return new FrozenGpt2(model, changes, recompute ? options.recomputing() : options);
    }

    FrozenGpt2 freezeForDecoding(Gpt2 model, FrozenGpt2.Changes changes) {
        return new FrozenGpt2(
                model, changes, FrozenGpt2.Options.of(model, parse()).forDecoding());
    }
}
