package dev.prefix4j.kernels;

import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.ValueLayout;

/**
 * The kernels, as listed in {@code native/src/kernels.def}. Each type has a letter: {@code p} a pointer, {@code l} an int64,
 * {@code f} a float32, {@code q} a {@link Struct#Q8_ROWS}, {@code v} void.
 */
enum Function {
    QUANTIZE("v", "plllqp"),
    LAYER_NORM("v", "plppfllpqpp"),
    LAYER_NORM_BACKWARD("v", "pplpppllp"),
    RMS_NORM("v", "plpfllpqp"),
    RMS_NORM_BACKWARD("v", "pplppllp"),
    GELU("v", "pllpqp"),
    GELU_BACKWARD("v", "ppllpq"),
    SLOPE_BACKWARD("v", "ppllq"),
    SWIGLU("v", "plllpq"),
    SWIGLU_BACKWARD("v", "pplllpq"),
    ROTATE("v", "plllllpl"),
    HEAD_NORM("v", "plpflllplp"),
    HEAD_NORM_BACKWARD("v", "plplpplllpl"),
    PACKED_BYTES("l", "ll"),
    PACK("v", "plllllp"),
    MATMUL_Q8("v", "qlpllllpplpl"),
    MATMUL_F32("v", "pllpllllpplpl"),
    PACKED_FLOATS("l", "ll"),
    PACK_F32("v", "pllllp"),
    MATMUL_PACKED_F32("v", "pllplllpplpl"),
    ATTENTION_FORWARD("v", "pplplp"),
    ATTENTION_BACKWARD("v", "ppppl" + "pplpl"),
    ATTENTION_DECODE("v", "pplpl"),
    SOFTMAX_BLOCK("v", "pllllpppppl"),
    TOP_K("v", "pllllpp"),
    ADAMW_PRODUCT("v", "ppppllplpll");

    private final String result;
    private final String parameters;

    Function(String result, String parameters) {
        this.result = result;
        this.parameters = parameters;
    }

    /** Its name without {@code p4j_}. */
    String nativeName() {
        return name().toLowerCase(java.util.Locale.ROOT);
    }

    /** The type letters of the result and the parameters. */
    String signature() {
        return result + parameters;
    }

    FunctionDescriptor descriptor() {
        MemoryLayout[] layouts =
                parameters.chars().mapToObj(letter -> layout((char) letter)).toArray(MemoryLayout[]::new);
        return result.equals("v")
                ? FunctionDescriptor.ofVoid(layouts)
                : FunctionDescriptor.of(layout(result.charAt(0)), layouts);
    }

    private static MemoryLayout layout(char letter) {
        return switch (letter) {
            case 'p', 'l' -> ValueLayout.JAVA_LONG;
            case 'f' -> ValueLayout.JAVA_FLOAT;
            case 'q' -> Struct.Q8_ROWS.layout();
            default -> throw new AssertionError(letter);
        };
    }
}
