package dev.prefix4j.train;

import dev.prefix4j.Named;
import dev.prefix4j.kernels.Kernels;
import dev.prefix4j.kernels.OptimizerKernels;
import dev.prefix4j.prefix.Gradient;
import dev.prefix4j.torch.Aten;
import dev.prefix4j.torch.TensorScope;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.IntStream;
import org.bytedeco.pytorch.NoGradGuard;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptions;
import org.bytedeco.pytorch.global.torch;
import org.jspecify.annotations.Nullable;

/**
 * AdamW (Loshchilov and Hutter 2019, arXiv:1711.05101) as {@code torch.optim.AdamW} computes it: with one fused operator
 * over all parameters, {@code aten::_fused_adamw_}, and with our own kernel where a gradient is a product that need not be
 * formed.
 *
 * <p>Its moments belong to the scope in which it was created.
 */
public final class AdamW {
    private static final double BETA1 = 0.9;
    private static final double BETA2 = 0.999; // the default
    private static final double EPSILON = 1e-8;

    private final Aten.Operator fused = Aten.operator("aten::_fused_adamw_", "");
    private final List<String> names;
    private final List<Tensor> parameters;
    private final List<Tensor> means = new ArrayList<>(); // as the parameters
    private final List<Tensor> squares = new ArrayList<>(); // as the parameters
    private final List<Tensor> steps = new ArrayList<>(); // float32 scalars
    private final double beta2;
    private final double weightDecay;

    /** @param parameters by name; without a gradient yet */
    AdamW(Map<String, Tensor> parameters, double weightDecay) {
        this(parameters, BETA2, weightDecay);
    }

    /**
     * @param parameters by name; without a gradient yet
     * @param beta2 decay of the squares' mean
     */
    public AdamW(Map<String, Tensor> parameters, double beta2, double weightDecay) {
        this.beta2 = beta2;
        this.names = List.copyOf(parameters.keySet());
        this.parameters = List.copyOf(parameters.values());
        this.weightDecay = weightDecay;
        for (Tensor parameter : this.parameters) {
            means.add(torch.zeros_like(parameter));
            squares.add(torch.zeros_like(parameter));
            steps.add(torch.zeros(new long[0], new TensorOptions(parameter.device())));
        }
    }

    /** Applies the gradients that autograd has stored in the parameters. */
    public void step(double learningRate) {
        step(learningRate, parameters.stream().map(Tensor::grad).toList());
    }

    /**
     * Applies gradients.
     *
     * @param gradients by the names of the parameters
     */
    public void step(double learningRate, Map<String, Gradient> gradients) {
        try (TensorScope _ = new TensorScope();
                NoGradGuard _ = new NoGradGuard()) {
            List<@Nullable Tensor> dense = new ArrayList<>(); // null: done by our kernel
            for (int i = 0; i < names.size(); i++) {
                Gradient gradient = Named.get(gradients, names.get(i));
                boolean ours =
                        gradient instanceof Gradient.Product product && stepWithoutGradient(i, learningRate, product);
                dense.add(ours ? null : gradient.dense());
            }
            step(learningRate, dense);
        }
    }

    /** @return whether it was done: the kernel exists only for the CPU */
    private boolean stepWithoutGradient(int i, double learningRate, Gradient.Product gradient) {
        Optional<Kernels> kernels = parameters.get(i).is_cpu() ? Kernels.find() : Optional.empty();
        if (kernels.isEmpty()) {
            return false;
        }
        steps.get(i).add_(new Scalar(1.0));
        kernels.get()
                .optimizer()
                .adamwProduct(
                        new OptimizerKernels.AdamW(
                                learningRate,
                                BETA1,
                                beta2,
                                EPSILON,
                                weightDecay,
                                Math.round(steps.get(i).item_double())),
                        parameters.get(i),
                        means.get(i),
                        squares.get(i),
                        gradient.left(),
                        gradient.right());
        return true;
    }

    /** @param gradients in the order of the parameters; null: this one is not updated */
    private void step(double learningRate, List<@Nullable Tensor> gradients) {
        int[] which = IntStream.range(0, gradients.size())
                .filter(i -> gradients.get(i) != null)
                .toArray();
        try (TensorScope _ = new TensorScope();
                NoGradGuard _ = new NoGradGuard()) {
            for (int i : which) {
                steps.get(i).add_(new Scalar(1.0));
            }
            fused.call(
                    some(parameters, which),
                    some(gradients, which),
                    some(means, which),
                    some(squares, which),
                    List.of(),
                    some(steps, which),
                    learningRate,
                    BETA1,
                    beta2,
                    weightDecay,
                    EPSILON,
                    false,
                    false,
                    null,
                    null);
        }
    }

    private static List<Tensor> some(List<@Nullable Tensor> all, int[] which) {
        return Arrays.stream(which).mapToObj(all::get).toList();
    }

    /** The moments and step counts by name; the optimizer's own tensors. */
    public Map<String, Tensor> state() {
        Map<String, Tensor> state = new LinkedHashMap<>();
        for (int i = 0; i < names.size(); i++) {
            state.put("optimizer.mean." + names.get(i), means.get(i));
            state.put("optimizer.square." + names.get(i), squares.get(i));
            state.put("optimizer.step." + names.get(i), steps.get(i));
        }
        return state;
    }
}
