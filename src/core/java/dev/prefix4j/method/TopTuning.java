package dev.prefix4j.method;

import dev.prefix4j.InputException;
import dev.prefix4j.model.AutogradModel;
import dev.prefix4j.model.BaseModel;
import dev.prefix4j.model.Family;
import dev.prefix4j.model.ModelConfig;
import dev.prefix4j.model.Shapes;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;

/**
 * The weights of the top blocks, and of the normalization after them (Li and Liang 2021, section 5.2: FT-TOP2).
 *
 * @param blocks how many, counted from the top
 */
public record TopTuning(int blocks) implements AutogradMethod {
    public TopTuning {
        InputException.requireAtLeast("top-blocks", blocks, 1);
    }

    @Override
    public String name() {
        return "fine-tune-top";
    }

    private boolean trains(String weight, ModelConfig config) {
        if (blocks > config.layers()) {
            throw new InputException(
                    "top-blocks must be at most the model's %d, was %d".formatted(config.layers(), blocks));
        }
        Family.Names names = config.family().names();
        return weight.startsWith(names.norm() + '.')
                || IntStream.range(config.layers() - blocks, config.layers())
                        .anyMatch(layer ->
                                weight.startsWith(names.block().apply(layer).prefix()));
    }

    @Override
    public Map<String, List<Long>> stored(ModelConfig config) {
        Map<String, List<Long>> shapes = new LinkedHashMap<>(Shapes.of(config));
        shapes.keySet().removeIf(name -> !trains(name, config));
        return shapes;
    }

    @Override
    public Trained trained(BaseModel model) {
        Map<String, Tensor> weights = new LinkedHashMap<>(model.weights());
        weights.keySet().removeIf(name -> !trains(name, model.config()));
        weights.replaceAll((_, weight) -> weight.detach().clone().to(torch.ScalarType.Float));
        return new Trained(weights, new AutogradModel(model.with(weights)));
    }
}
