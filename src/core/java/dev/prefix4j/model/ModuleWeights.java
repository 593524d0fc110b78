package dev.prefix4j.model;

import dev.prefix4j.Named;
import java.util.Map;
import org.bytedeco.pytorch.Module;
import org.bytedeco.pytorch.Tensor;

/**
 * The source of a module's weights.
 *
 * @param prefix name prefix of the module being built, such as {@code h.0.attn.}
 * @param all weights by their names in a checkpoint, without the stem
 */
public record ModuleWeights(String prefix, Map<String, Tensor> all) {
    /** The weights of a submodule. */
    public ModuleWeights in(String module) {
        return new ModuleWeights(prefix + module + '.', all);
    }

    /** Registers a parameter with a module. */
    public Tensor register(Module module, String name) {
        Tensor tensor = Named.get(all, prefix + name);
        module.register_parameter(name, tensor, tensor.requires_grad());
        return tensor;
    }
}
