package dev.prefix4j.model;

import dev.prefix4j.InputException;
import java.util.Locale;
import org.bytedeco.pytorch.global.torch;

/** The type of weights that are written. */
public enum Dtype {
    FLOAT32(torch.ScalarType.Float),
    FLOAT16(torch.ScalarType.Half),
    BFLOAT16(torch.ScalarType.BFloat16);

    private final torch.ScalarType scalar;

    Dtype(torch.ScalarType scalar) {
        this.scalar = scalar;
    }

    /** libtorch's name of it. */
    public torch.ScalarType scalar() {
        return scalar;
    }

    /** @throws InputException if there is no such type */
    public static Dtype parse(String name) {
        return switch (name) {
            case "float32" -> FLOAT32;
            case "float16" -> FLOAT16;
            case "bfloat16" -> BFLOAT16;
            default -> throw new InputException("dtype: expected float32, float16 or bfloat16, found '" + name + "'");
        };
    }

    @Override
    public String toString() {
        return name().toLowerCase(Locale.ROOT);
    }
}
