package dev.prefix4j.model;

import java.util.Map;
import org.bytedeco.pytorch.Module;
import org.bytedeco.pytorch.Tensor;

/**
 * Where a module takes its weights from.
 *
 * @param prefix of the module that is being built, such as {@code h.0.attn.}
 * @param all by their names in a checkpoint, without the stem
 */
public record ModuleWeights(String prefix, Map<String, Tensor> all) {
    /** The weights of a submodule. */
    public ModuleWeights in(String module) {
        return new ModuleWeights(prefix + module + '.', all);
    }

    /** Gives a module its parameter. */
    public Tensor register(Module module, String name) {
        Tensor tensor = all.get(prefix + name);
        module.register_parameter(name, tensor, tensor.requires_grad());
        return tensor;
    }
}
