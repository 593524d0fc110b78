package dev.prefix4j.method;

import dev.prefix4j.frozen.Adaptation;
import dev.prefix4j.model.Extension;
import dev.prefix4j.model.ModelConfig;
import dev.prefix4j.prefix.Gradient;
import dev.prefix4j.torch.Draws;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.bytedeco.pytorch.Tensor;

/** Trains an extension of the blocks. */
final class ExtensionTuner implements Tuner {
    private final Map<String, Tensor> parameters;
    private final Extension extension;
    private final ModelConfig config;

    /** @param extension made of all parameters */
    ExtensionTuner(Map<String, Tensor> parameters, Extension extension, ModelConfig config) {
        this.parameters = parameters;
        this.extension = extension;
        this.config = config;
    }

    @Override
    public Map<String, Tensor> parameters() {
        return parameters;
    }

    @Override
    public int taken() {
        return 0;
    }

    @Override
    public Given given() {
        return new Given.Ready(Adaptation.of(extension, config));
    }

    @Override
    public Step step() {
        Extension sum = extension.zeros();
        return new Step() {
            @Override
            public Given give(double dropout, Draws draws) {
                return given();
            }

            @Override
            public void take(Adaptation.Gradient gradient) {
                List<Tensor> sums = sum.tensors();
                List<Tensor> more = gradient.extension().tensors();
                for (int i = 0; i < sums.size(); i++) {
                    sums.get(i).add_(more.get(i));
                }
            }

            @Override
            public Map<String, Gradient> gradients() {
                Map<String, Gradient> gradients = new LinkedHashMap<>();
                List<Tensor> own = extension.tensors();
                List<Tensor> sums = sum.tensors();
                parameters.forEach(
                        (name, parameter) -> gradients.put(name, new Gradient.Dense(sums.get(own.indexOf(parameter)))));
                return gradients;
            }
        };
    }

    @Override
    public Map<String, Tensor> stored() {
        return parameters;
    }
}
