package dev.prefix4j.method;

import dev.prefix4j.InputException;
import dev.prefix4j.Named;
import dev.prefix4j.frozen.FrozenModel;
import dev.prefix4j.model.BaseModel;
import dev.prefix4j.model.Extension;
import dev.prefix4j.model.Family;
import dev.prefix4j.model.ModelConfig;
import dev.prefix4j.torch.Draws;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;

/**
 * Small networks after both halves of every block (Houlsby et al. 2019, arXiv:1902.00751; Li and Liang 2021, section 5.2: ADAPTER):
 * {@code y + up(gelu(down(y)))} before y is added to the residual stream. The normalizations of the model stay frozen.
 *
 * <p>E width, m bottleneck.
 *
 * @param bottleneck width of the small networks, m
 */
public record AdapterTuning(int bottleneck) implements ExtensionMethod {
    /** Of the initial weights: the networks start near the identity (Houlsby et al., section 2). */
    private static final double DEVIATION = 0.01;

    public AdapterTuning {
        InputException.requireAtLeast("bottleneck", bottleneck, 1);
    }

    /**
     * The largest adapter with at most a share of the model's parameters, but at least a bottleneck of 1.
     *
     * @param share such as 0.03 or 0.001
     */
    public static AdapterTuning ofShare(double share, ModelConfig config) {
        if (!(share > 0 && share <= 1)) {
            throw new InputException("adapter-share must be above 0 and at most 1, was " + share);
        }
        long all = new FineTuning().storedNumbers(config);
        double each = share * all / (2.0 * config.layers());
        return new AdapterTuning((int) Math.max(1, Math.floor((each - config.width()) / (2.0 * config.width() + 1))));
    }

    @Override
    public String name() {
        return "adapter";
    }

    @Override
    public Map<String, List<Long>> stored(ModelConfig config) {
        Map<String, List<Long>> shapes = new LinkedHashMap<>();
        long width = config.width();
        for (int layer = 0; layer < config.layers(); layer++) {
            Family.Block block = config.family().names().block().apply(layer);
            for (String half : List.of(block.attention(), block.mlp())) {
                String name = half + ".adapter.";
                shapes.put(name + "down.weight", List.of(width, (long) bottleneck));
                shapes.put(name + "down.bias", List.of((long) bottleneck));
                shapes.put(name + "up.weight", List.of((long) bottleneck, width));
                shapes.put(name + "up.bias", List.of(width));
            }
        }
        return shapes;
    }

    @Override
    public Extension extension(ModelConfig config, Map<String, Tensor> tensors) {
        Map<String, Extension.Bottleneck> networks = new LinkedHashMap<>();
        for (int layer = 0; layer < config.layers(); layer++) {
            Family.Block block = config.family().names().block().apply(layer);
            for (String half : List.of(block.attention(), block.mlp())) {
                String of = half + ".adapter.";
                networks.put(
                        half,
                        new Extension.Bottleneck(
                                Named.get(tensors, of + "down.weight"),
                                Named.get(tensors, of + "down.bias"),
                                Named.get(tensors, of + "up.weight"),
                                Named.get(tensors, of + "up.bias")));
            }
        }
        return new Extension(Map.of(), networks);
    }

    @Override
    public FrozenModel.Changes changes(BaseModel model, Map<String, Tensor> stored) {
        return new FrozenModel.Changes(Map.of(), extension(model.config(), stored));
    }

    @Override
    public Tensor first(String name, long[] shape, Draws draws) {
        return name.endsWith("weight") ? draws.normal(DEVIATION, shape) : torch.zeros(shape);
    }
}
