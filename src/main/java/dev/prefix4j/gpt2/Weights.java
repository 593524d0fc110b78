package dev.prefix4j.gpt2;

import java.util.Map;
import java.util.function.BiFunction;
import org.bytedeco.pytorch.Module;
import org.bytedeco.pytorch.Tensor;

/**
 * Where a module takes its weights from, by their names in a checkpoint.
 *
 * @param prefix of the module that is being built, such as {@code h.0.attn.}
 * @param source gives the tensor of a full name and an expected shape, on the device of the model
 */
record Weights(String prefix, BiFunction<String, long[], Tensor> source) {
    /** The weights of a submodule. */
    Weights in(String module) {
        return new Weights(prefix + module + '.', source);
    }

    /** These weights; what modules take is noted by its name. */
    Weights recording(Map<String, Tensor> taken) {
        return new Weights(prefix, (name, shape) -> {
            Tensor tensor = source.apply(name, shape);
            taken.put(name, tensor);
            return tensor;
        });
    }

    /** Gives a module its parameter, frozen. */
    Tensor register(Module module, String name, long... shape) {
        Tensor tensor = source.apply(prefix + name, shape);
        module.register_parameter(name, tensor, false);
        return tensor;
    }
}
