package dev.prefix4j.method;

import dev.prefix4j.gpt2.Gpt2Config;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Names and shapes of GPT-2's weights, in the order of the model. */
final class Shapes {
    private Shapes() {}

    static Map<String, List<Long>> of(Gpt2Config config) {
        long width = config.width();
        long inner = config.innerWidth();
        Map<String, List<Long>> shapes = new LinkedHashMap<>();
        shapes.put("wte.weight", List.of((long) config.vocabulary(), width));
        shapes.put("wpe.weight", List.of((long) config.positions(), width));
        for (int layer = 0; layer < config.layers(); layer++) {
            String h = "h." + layer + '.';
            norm(shapes, h + "ln_1", width);
            affine(shapes, h + "attn.c_attn", width, 3 * width);
            affine(shapes, h + "attn.c_proj", width, width);
            norm(shapes, h + "ln_2", width);
            affine(shapes, h + "mlp.c_fc", width, inner);
            affine(shapes, h + "mlp.c_proj", inner, width);
        }
        norm(shapes, "ln_f", width);
        if (!config.tiedHead()) {
            shapes.put("lm_head.weight", List.of((long) config.vocabulary(), width));
        }
        return shapes;
    }

    private static void norm(Map<String, List<Long>> shapes, String name, long width) {
        shapes.put(name + ".weight", List.of(width));
        shapes.put(name + ".bias", List.of(width));
    }

    private static void affine(Map<String, List<Long>> shapes, String name, long in, long out) {
        shapes.put(name + ".weight", List.of(in, out));
        shapes.put(name + ".bias", List.of(out));
    }
}
