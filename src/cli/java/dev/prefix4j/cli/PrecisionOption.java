package dev.prefix4j.cli;

import dev.prefix4j.task.Engine;
import picocli.CommandLine.Option;

/** In what numbers the frozen model multiplies. */
final class PrecisionOption {
    @Option(
            names = OptionNames.PRECISION,
            paramLabel = "P",
            defaultValue = "fp32",
            description = "Numbers that the model multiplies: fp32, or int8, which is faster and a little less exact.")
    String precision;

    /** @throws dev.prefix4j.InputException if there is no such precision; before anything is loaded */
    Engine parse() {
        return Engine.parse(precision);
    }
}
