package dev.prefix4j.cli;

import dev.prefix4j.model.Dtype;
import picocli.CommandLine.Option;

/** The type of weights that are written. */
final class DtypeOption {
    @Option(
            names = OptionNames.DTYPE,
            paramLabel = "T",
            defaultValue = "float32",
            description = "Type of the stored weights: float32, float16 or bfloat16.")
    String dtype;

    /** @throws dev.prefix4j.InputException if there is no such type */
    Dtype parse() {
        return Dtype.parse(dtype);
    }
}
