package dev.prefix4j.cli;

import dev.prefix4j.InputException;
import org.bytedeco.pytorch.global.torch;
import picocli.CommandLine.Option;

/** The type of weights that are written. */
final class DtypeOption {
    @Option(
            names = "--dtype",
            paramLabel = "T",
            defaultValue = "float32",
            description = "Of the stored weights: float32, float16 or bfloat16.")
    String dtype;

    /** @throws InputException if there is no such type */
    torch.ScalarType parse() {
        return switch (dtype) {
            case "float32" -> torch.ScalarType.Float;
            case "float16" -> torch.ScalarType.Half;
            case "bfloat16" -> torch.ScalarType.BFloat16;
            default -> throw new InputException("dtype: expected float32, float16 or bfloat16, found '" + dtype + "'");
        };
    }
}
