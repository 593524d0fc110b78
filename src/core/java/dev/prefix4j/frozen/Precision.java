package dev.prefix4j.frozen;

import dev.prefix4j.InputException;

/** The type of a frozen model's matrix products. Sums, normalization, attention and the residual stream are float32. */
public enum Precision {
    /** float32 throughout. */
    FP32,
    /**
     * 8-bit integers, with a scale for each output of a weight matrix, computed once, and for each row of activations and
     * gradients, computed on the fly (vector-wise quantization of LLM.int8(), arXiv:2208.07339; gradients as in
     * SwitchBack, arXiv:2304.13013).
     */
    INT8;

    /** @throws InputException if there is no such precision */
    public static Precision parse(String name) {
        return switch (name) {
            case "fp32" -> FP32;
            case "int8" -> INT8;
            default -> throw new InputException("precision: expected fp32 or int8, found '" + name + "'");
        };
    }

    @Override
    public String toString() {
        return name().toLowerCase(java.util.Locale.ROOT);
    }
}
