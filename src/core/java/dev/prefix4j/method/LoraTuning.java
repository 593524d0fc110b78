package dev.prefix4j.method;

import dev.prefix4j.InputException;
import dev.prefix4j.Named;
import dev.prefix4j.frozen.FrozenModel;
import dev.prefix4j.model.BaseModel;
import dev.prefix4j.model.Extension;
import dev.prefix4j.model.Family;
import dev.prefix4j.model.ModelConfig;
import dev.prefix4j.model.Shapes;
import dev.prefix4j.torch.Draws;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import org.bytedeco.pytorch.NoGradGuard;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;

/**
 * A low-rank change of attention's weights (Hu et al. 2021, arXiv:2106.09685, equation 3), on the maps that Hugging Face PEFT changes
 * by default: {@code c_attn} of GPT-2, {@code q_proj} and {@code v_proj} of Llama's family. The map becomes
 * {@code x W + b + (alpha / r) x Aᵀ Bᵀ}. In use, the change is added to W.
 *
 * <p>r rank.
 *
 * @param rank r
 * @param alpha the change is scaled by alpha / r
 */
public record LoraTuning(int rank, double alpha) implements ExtensionMethod {
    public LoraTuning {
        InputException.requireAtLeast("rank", rank, 1);
        if (!(alpha > 0 && alpha <= 1e6)) {
            throw new InputException("alpha must be above 0 and at most 1e6, was " + alpha);
        }
    }

    @Override
    public String name() {
        return "lora";
    }

    /** Names of the maps that are changed, in the order of the model. */
    private static List<String> maps(ModelConfig config) {
        Family family = config.family();
        return IntStream.range(0, config.layers())
                .boxed()
                .flatMap(layer -> family.names().block().apply(layer).attentionInputs().stream())
                .filter(map -> family.loraTargets().contains(map.substring(map.lastIndexOf('.') + 1)))
                .toList();
    }

    private static String tensor(Family family, String map, String which) {
        return "base_model.model." + family.names().full(map) + ".lora_" + which + ".weight";
    }

    @Override
    public Map<String, List<Long>> stored(ModelConfig config) {
        Map<String, List<Long>> weights = Shapes.of(config);
        boolean inputsFirst = config.family().names().inputsFirst();
        Map<String, List<Long>> shapes = new LinkedHashMap<>();
        for (String map : maps(config)) {
            List<Long> weight = Named.get(weights, map + ".weight");
            shapes.put(tensor(config.family(), map, "A"), List.of((long) rank, weight.get(inputsFirst ? 0 : 1)));
            shapes.put(tensor(config.family(), map, "B"), List.of(weight.get(inputsFirst ? 1 : 0), (long) rank));
        }
        return shapes;
    }

    @Override
    public FrozenModel.Changes changes(BaseModel model, Map<String, Tensor> stored) {
        Family family = model.config().family();
        Map<String, Tensor> changed = new LinkedHashMap<>();
        try (NoGradGuard _ = new NoGradGuard()) {
            for (String map : maps(model.config())) {
                Tensor a = Named.get(stored, tensor(family, map, "A")); // [r, in]
                Tensor b = Named.get(stored, tensor(family, map, "B")); // [out, r]
                Tensor change = torch.matmul(b, a).mul(new Scalar(alpha / rank)); // [out, in]
                Tensor weight = Named.get(model.weights(), map + ".weight");
                changed.put(map + ".weight", weight.add(family.names().inputsFirst() ? change.t() : change));
            }
        }
        return new FrozenModel.Changes(changed, Extension.NONE);
    }

    @Override
    public Extension extension(ModelConfig config, Map<String, Tensor> tensors) {
        Map<String, Extension.LowRank> changes = new LinkedHashMap<>();
        for (String map : maps(config)) {
            changes.put(
                    map,
                    new Extension.LowRank(
                            Named.get(tensors, tensor(config.family(), map, "A")),
                            Named.get(tensors, tensor(config.family(), map, "B")),
                            alpha / rank));
        }
        return new Extension(changes, Map.of());
    }

    /** B starts at 0: no change at first. */
    @Override
    public Tensor first(String name, long[] shape, Draws draws) {
        return name.contains("lora_A")
                ? draws.uniform(1 / Math.sqrt((double) shape[1]), shape) // as PyTorch's Linear
                : torch.zeros(shape);
    }
}
