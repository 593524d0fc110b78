package dev.prefix4j.method;

import dev.prefix4j.InputException;
import dev.prefix4j.frozen.FrozenGpt2;
import dev.prefix4j.gpt2.Extension;
import dev.prefix4j.gpt2.Gpt2;
import dev.prefix4j.gpt2.Gpt2Config;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.bytedeco.pytorch.GeneratorOptional;
import org.bytedeco.pytorch.NoGradGuard;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;

/**
 * A low-rank change of the query, key and value weights (Hu et al. 2021, arXiv:2106.09685, equation 3), on {@code c_attn} as
 * Hugging Face PEFT's default for GPT-2: {@code x W + b + (alpha / r) x Aᵀ Bᵀ}. Used, it is added to W.
 *
 * <p>r rank, E width.
 *
 * @param rank r
 * @param alpha the change is scaled by alpha / r
 */
public record LoraTuning(int rank, double alpha) implements WeightMethod {
    private static final String MAP = ".attn.c_attn";

    public LoraTuning {
        Method.atLeast("rank", rank, 1);
        if (!(alpha > 0 && alpha <= 1e6)) {
            throw new InputException("alpha must be above 0, was " + alpha);
        }
    }

    @Override
    public String name() {
        return "lora";
    }

    private static String a(int layer) {
        return "base_model.model.transformer.h." + layer + MAP + ".lora_A.weight";
    }

    private static String b(int layer) {
        return "base_model.model.transformer.h." + layer + MAP + ".lora_B.weight";
    }

    @Override
    public Map<String, List<Long>> stored(Gpt2Config config) {
        Map<String, List<Long>> shapes = new LinkedHashMap<>();
        for (int layer = 0; layer < config.layers(); layer++) {
            shapes.put(a(layer), List.of((long) rank, (long) config.width()));
            shapes.put(b(layer), List.of(3L * config.width(), (long) rank));
        }
        return shapes;
    }

    @Override
    public FrozenGpt2.Changes changes(Gpt2 model, Map<String, Tensor> stored) {
        Map<String, Tensor> changed = new LinkedHashMap<>();
        try (NoGradGuard _ = new NoGradGuard()) {
            for (int layer = 0; layer < model.config().layers(); layer++) {
                String name = "h." + layer + MAP + ".weight";
                Tensor change =
                        torch.matmul(stored.get(b(layer)), stored.get(a(layer))).t(); // [E, 3E]
                changed.put(name, model.weights().get(name).add(change.mul(new Scalar(alpha / rank))));
            }
        }
        return new FrozenGpt2.Changes(changed, Extension.NONE);
    }

    @Override
    public Map<String, Tensor> parameters(Gpt2 model) {
        Map<String, Tensor> parameters = new LinkedHashMap<>();
        double bound = 1 / Math.sqrt(model.config().width()); // PyTorch's Linear; B starts from 0: no change at first
        stored(model.config()).forEach((name, shape) -> {
            Tensor values =
                    torch.zeros(shape.stream().mapToLong(Long::longValue).toArray());
            if (name.contains("lora_A")) {
                values.uniform_(-bound, bound, new GeneratorOptional());
            }
            parameters.put(name, values.to(model.device(), torch.ScalarType.Float));
        });
        model.extend(new Extension() {
            @Override
            public Tensor linear(String name, Tensor x, Tensor y) {
                if (!name.endsWith(MAP)) {
                    return y;
                }
                int layer = Integer.parseInt(name.split("\\.")[1]);
                Tensor low = torch.matmul(x, parameters.get(a(layer)).t()); // [n, r]
                return y.add(torch.matmul(low, parameters.get(b(layer)).t()).mul(new Scalar(alpha / rank)));
            }
        });
        return parameters;
    }
}
