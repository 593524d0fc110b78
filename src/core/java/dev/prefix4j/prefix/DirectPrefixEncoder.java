package dev.prefix4j.prefix;

import dev.prefix4j.torch.Draws;
import java.util.HashMap;
import java.util.Map;
import org.bytedeco.pytorch.Module;
import org.bytedeco.pytorch.NoGradGuard;
import org.bytedeco.pytorch.Tensor;

/**
 * The vectors themselves as parameters, {@code embedding.weight} [P, 2·L·W] (Li and Liang 2021, section 4.2; found to
 * be unstable there, section 4.3). Initialized from a standard normal distribution, like PyTorch's {@code Embedding}.
 */
public final class DirectPrefixEncoder extends PrefixEncoder {
    private final Tensor embedding; // [P, 2·L·W]

    DirectPrefixEncoder(int length, int rowWidth, Draws draws) {
        super("DirectPrefixEncoder", length, rowWidth);
        Module table = new Module("Embedding");
        this.embedding = parameter(table, "weight", draws.normal(1, length, rowWidth));
        register_module("embedding", table);
    }

    @Override
    public Tensor forward() {
        return embedding.view(-1, rowWidth());
    }

    @Override
    public Map<String, Gradient> gradients(Tensor dVectors) {
        return new HashMap<>(Map.of("embedding.weight", new Gradient.Dense(dVectors)));
    }

    @Override
    public double fit(Tensor vectors) {
        try (NoGradGuard _ = new NoGradGuard()) {
            embedding.copy_(vectors);
        }
        return distance(vectors);
    }
}
