package dev.prefix4j.cli;

import dev.prefix4j.task.Engine;
import picocli.CommandLine.Option;

/** The precision of the frozen model's matrix products. */
final class PrecisionOption {
    @Option(
            names = OptionNames.PRECISION,
            paramLabel = "P",
            defaultValue = "fp32",
            description = "Precision of matrix products: fp32, or int8, which is faster and slightly less accurate.")
    String precision;

    /** @throws dev.prefix4j.InputException if there is no such precision */
    Engine parse() {
        return Engine.parse(precision);
    }
}
