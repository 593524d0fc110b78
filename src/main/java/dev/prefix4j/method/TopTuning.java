package dev.prefix4j.method;

import dev.prefix4j.InputException;
import dev.prefix4j.frozen.FrozenGpt2;
import dev.prefix4j.gpt2.Extension;
import dev.prefix4j.gpt2.Gpt2;
import dev.prefix4j.gpt2.Gpt2Config;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.bytedeco.pytorch.Tensor;

/**
 * The weights of the top blocks, and of the normalization after them (Li and Liang 2021, section 5.2: FT-TOP2). The model that is
 * given is the one that changes.
 *
 * @param blocks how many, counted from the top
 */
public record TopTuning(int blocks) implements WeightMethod {
    public TopTuning {
        Method.atLeast("top-blocks", blocks, 1);
    }

    @Override
    public String name() {
        return "fine-tune-top";
    }

    private boolean trains(String weight, Gpt2Config config) {
        if (blocks > config.layers()) {
            throw new InputException(
                    "top-blocks must be at most the model's %d, was %d".formatted(config.layers(), blocks));
        }
        if (weight.startsWith("ln_f.")) {
            return true;
        }
        String[] parts = weight.split("\\.");
        return parts[0].equals("h") && Integer.parseInt(parts[1]) >= config.layers() - blocks;
    }

    @Override
    public Map<String, List<Long>> stored(Gpt2Config config) {
        Map<String, List<Long>> shapes = new LinkedHashMap<>(Shapes.of(config));
        shapes.keySet().removeIf(name -> !trains(name, config));
        return shapes;
    }

    @Override
    public FrozenGpt2.Changes changes(Gpt2 model, Map<String, Tensor> stored) {
        return new FrozenGpt2.Changes(stored, Extension.NONE);
    }

    @Override
    public Map<String, Tensor> parameters(Gpt2 model) {
        Map<String, Tensor> weights = new LinkedHashMap<>(model.weights());
        weights.keySet().removeIf(name -> !trains(name, model.config()));
        return weights;
    }
}
