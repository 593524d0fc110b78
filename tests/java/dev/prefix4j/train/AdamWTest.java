package dev.prefix4j.train;

import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.prefix4j.prefix.Gradient;
import dev.prefix4j.torch.TensorScope;
import dev.prefix4j.torch.TorchRuntime;
import java.util.LinkedHashMap;
import java.util.Map;
import org.bytedeco.pytorch.AdamWOptions;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch;
import org.junit.jupiter.api.Test;

/** Against libtorch's own optimizer. */
class AdamWTest {
    private static final double RATE = 0.01;
    private static final double DECAY = 0.1;

    @Test
    void stepsAreLibtorchsWhetherAGradientIsFormedOrAProduct() {
        TorchRuntime.seed(2);
        try (TensorScope _ = new TensorScope()) {
            Tensor matrix = torch.randn(41, 30);
            Tensor bias = torch.randn(41);
            Tensor theirMatrix = matrix.clone().requires_grad_(true);
            Tensor theirBias = bias.clone().requires_grad_(true);
            AdamWOptions options = new AdamWOptions(RATE);
            options.weight_decay().put(DECAY);
            org.bytedeco.pytorch.AdamW theirs =
                    new org.bytedeco.pytorch.AdamW(new TensorVector(theirMatrix, theirBias), options);
            Map<String, Tensor> parameters = new LinkedHashMap<>();
            parameters.put("matrix", matrix);
            parameters.put("bias", bias);
            AdamW ours = new AdamW(parameters, DECAY);
            for (int step = 0; step < 5; step++) {
                Gradient product = new Gradient.Product(torch.randn(7, 41), torch.randn(7, 30));
                Gradient dense = new Gradient.Dense(torch.randn(41));
                ours.step(RATE, Map.of("matrix", product, "bias", dense));
                theirMatrix.mutable_grad().put(product.dense());
                theirBias.mutable_grad().put(dense.dense());
                theirs.step();
                require(matrix, theirMatrix);
                require(bias, theirBias);
            }
        }
    }

    private static void require(Tensor ours, Tensor theirs) {
        double distance = ours.sub(theirs).abs().max().item_double();
        assertTrue(distance < 1e-5, "distance " + distance);
    }
}
