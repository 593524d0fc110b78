package dev.prefix4j.method;

import dev.prefix4j.frozen.FrozenGpt2;
import dev.prefix4j.gpt2.Extension;
import dev.prefix4j.gpt2.Gpt2;
import dev.prefix4j.gpt2.Gpt2Config;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.bytedeco.pytorch.Tensor;

/** All weights of the model (Li and Liang 2021, section 5.2: FINE-TUNE). The model that is given is the one that changes. */
public record FineTuning() implements WeightMethod {
    @Override
    public String name() {
        return "fine-tune";
    }

    @Override
    public Map<String, List<Long>> stored(Gpt2Config config) {
        return Shapes.of(config);
    }

    @Override
    public FrozenGpt2.Changes changes(Gpt2 model, Map<String, Tensor> stored) {
        return new FrozenGpt2.Changes(stored, Extension.NONE);
    }

    @Override
    public Map<String, Tensor> parameters(Gpt2 model) {
        return new LinkedHashMap<>(model.weights());
    }
}
