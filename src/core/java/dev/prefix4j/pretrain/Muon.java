package dev.prefix4j.pretrain;

import dev.prefix4j.Named;
import dev.prefix4j.torch.TensorScope;
import java.util.LinkedHashMap;
import java.util.Map;
import org.bytedeco.pytorch.NoGradGuard;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch;

/**
 * Muon for the matrices of the blocks: momentum, then the nearest semi-orthogonal matrix instead of the gradient, by five
 * Newton–Schulz iterations (Jordan et al. 2024, "Muon: an optimizer for hidden layers in neural networks"; Liu et al.
 * 2025, arXiv:2502.16982). Queries, keys and values are separate matrices.
 *
 * <p>Its momenta belong to the scope in which it was created.
 */
final class Muon {
    private static final double MOMENTUM = 0.95;
    private static final int ITERATIONS = 5;

    /** Coefficients of the quintic iteration x ← a x + b x³ + c x⁵ on singular values. */
    private static final double A = 3.4445;

    private static final double B = -4.7750;
    private static final double C = 2.0315;

    private final Map<String, Tensor> matrices;
    private final Map<String, Tensor> momenta = new LinkedHashMap<>();
    private final double weightDecay;

    /**
     * @param matrices by name, [in, out], without gradients yet
     * @param weightDecay decoupled; multiplied by each step's {@code decayRate}
     */
    Muon(Map<String, Tensor> matrices, double weightDecay) {
        this.matrices = new LinkedHashMap<>(matrices);
        this.weightDecay = weightDecay;
        matrices.forEach((name, matrix) -> momenta.put(name, torch.zeros_like(matrix)));
    }

    /**
     * Applies the gradients.
     *
     * @param learningRate spectral norm of the update of a square matrix
     * @param decayRate learning rate that multiplies the weight decay
     */
    void step(double learningRate, double decayRate) {
        try (TensorScope _ = new TensorScope();
                NoGradGuard _ = new NoGradGuard()) {
            matrices.forEach((name, matrix) -> {
                try (TensorScope _ = new TensorScope()) {
                    Tensor gradient = matrix.grad(); // [in, out]
                    Tensor momentum = Named.get(momenta, name); // [in, out]
                    momentum.lerp_(gradient, new Scalar(1 - MOMENTUM));
                    Tensor nesterov = gradient.lerp(momentum, new Scalar(MOMENTUM)); // [in, out]
                    Tensor update =
                            name.endsWith("c_attn.weight") ? torch.cat(parts(nesterov), 1) : orthogonalize(nesterov);
                    matrix.mul_(new Scalar(1 - decayRate * weightDecay));
                    matrix.sub_(update, new Scalar(learningRate));
                }
            });
        }
    }

    /** Queries, keys and values, separately. */
    private static TensorVector parts(Tensor attention) {
        TensorVector parts = torch.split(attention, attention.size(1) / 3, 1);
        return new TensorVector(orthogonalize(parts.get(0)), orthogonalize(parts.get(1)), orthogonalize(parts.get(2)));
    }

    /**
     * Approximately U·Vᵀ of the singular value decomposition U·S·Vᵀ, with singular values between 0.7 and 1.2, scaled so that
     * outputs change equally for any shape.
     *
     * @param matrix [in, out]
     */
    static Tensor orthogonalize(Tensor matrix) {
        boolean tall = matrix.size(0) > matrix.size(1);
        Tensor x = tall ? matrix.t() : matrix; // [m, n], m ≤ n
        x = x.div(x.norm().add(new Scalar(1e-7)));
        for (int i = 0; i < ITERATIONS; i++) {
            Tensor gram = x.matmul(x.t()); // [m, m]
            Tensor odd = gram.mul(new Scalar(B)).add(gram.matmul(gram), new Scalar(C));
            x = x.mul(new Scalar(A)).add(odd.matmul(x));
        }
        double scale = Math.sqrt(Math.max(1, (double) matrix.size(1) / matrix.size(0)));
        return (tall ? x.t() : x).mul(new Scalar(scale));
    }

    /** The momenta by name; the optimizer's own tensors. */
    Map<String, Tensor> state() {
        Map<String, Tensor> state = new LinkedHashMap<>();
        momenta.forEach((name, momentum) -> state.put("optimizer.momentum." + name, momentum));
        return state;
    }
}
