package dev.prefix4j.gpt2;

import java.util.Map;
import java.util.function.BiFunction;
import java.util.function.Supplier;
import org.bytedeco.pytorch.Module;
import org.bytedeco.pytorch.Tensor;

/**
 * Where a module takes its weights from, by their names in a checkpoint.
 *
 * @param prefix of the module that is being built, such as {@code h.0.attn.}
 * @param source gives the tensor of a full name and an expected shape, on the device of the model
 * @param extension what is in the model's blocks besides, asked at each call
 */
record Weights(String prefix, BiFunction<String, long[], Tensor> source, Supplier<Extension> extension) {
    Weights(String prefix, BiFunction<String, long[], Tensor> source) {
        this(prefix, source, () -> Extension.NONE);
    }

    /** The name of the module that is being built. */
    String module() {
        return prefix.substring(0, prefix.length() - 1);
    }

    /** The weights of a submodule. */
    Weights in(String module) {
        return new Weights(prefix + module + '.', source, extension);
    }

    /** These weights; what modules take is noted by its name, and they ask for this extension. */
    Weights of(Map<String, Tensor> taken, Supplier<Extension> extension) {
        return new Weights(
                prefix,
                (name, shape) -> {
                    Tensor tensor = source.apply(name, shape);
                    taken.put(name, tensor);
                    return tensor;
                },
                extension);
    }

    /** Gives a module its parameter, frozen. */
    Tensor register(Module module, String name, long... shape) {
        Tensor tensor = source.apply(prefix + name, shape);
        module.register_parameter(name, tensor, false);
        return tensor;
    }
}
