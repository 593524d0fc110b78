package dev.prefix4j.method;

import dev.prefix4j.frozen.Conditioned;
import dev.prefix4j.frozen.SoftPrompt;
import dev.prefix4j.gpt2.Gpt2;
import dev.prefix4j.gpt2.Gpt2Config;
import java.util.List;
import java.util.Map;
import org.bytedeco.pytorch.Tensor;

/**
 * Keys and values of virtual tokens between source and target, in all layers: the source does not see them (Li and Liang 2021,
 * section 7.3).
 */
public record InfixTuning(Vectors vectors) implements Method {
    @Override
    public String name() {
        return "infix";
    }

    private Activations activations(Gpt2Config config) {
        return new Activations(vectors, SoftPrompt.Place.INFIX, 0, config.layers() - 1, config);
    }

    @Override
    public Map<String, List<Long>> stored(Gpt2Config config) {
        return activations(config).stored();
    }

    @Override
    public long trainedNumbers(Gpt2Config config) {
        return activations(config).trainedNumbers();
    }

    @Override
    public Conditioned apply(Gpt2 model, Freezer freezer, Map<String, Tensor> stored) {
        return activations(model.config()).apply(model, freezer, stored);
    }

    @Override
    public Tuner tuner(Gpt2 model, Freezer freezer) {
        return activations(model.config()).tuner(model, freezer);
    }
}
