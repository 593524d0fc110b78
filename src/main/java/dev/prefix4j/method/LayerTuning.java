package dev.prefix4j.method;

import dev.prefix4j.frozen.Conditioned;
import dev.prefix4j.frozen.SoftPrompt;
import dev.prefix4j.gpt2.Gpt2;
import dev.prefix4j.gpt2.Gpt2Config;
import java.util.List;
import java.util.Map;
import org.bytedeco.pytorch.Tensor;

/**
 * As {@link PrefixTuning}, in some layers only: between the embedding alone and all layers (Li and Liang 2021, section 7.2).
 *
 * @param firstLayer from 0
 * @param lastLayer included
 */
public record LayerTuning(Vectors vectors, int firstLayer, int lastLayer) implements Method {
    public LayerTuning {
        Method.atLeast("layers", firstLayer, 0);
        Method.atLeast("last of the layers", lastLayer, firstLayer);
    }

    @Override
    public String name() {
        return "layers";
    }

    private Activations activations(Gpt2Config config) {
        return new Activations(vectors, SoftPrompt.Place.PREFIX, firstLayer, lastLayer, config);
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
