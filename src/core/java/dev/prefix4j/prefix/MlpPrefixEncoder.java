package dev.prefix4j.prefix;

import dev.prefix4j.InputException;
import dev.prefix4j.torch.Draws;
import dev.prefix4j.torch.TensorScope;
import java.util.LinkedHashMap;
import java.util.Map;
import org.bytedeco.pytorch.Module;
import org.bytedeco.pytorch.NoGradGuard;
import org.bytedeco.pytorch.ScalarTypeOptional;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;

/**
 * The reparametrization P[i] = MLP(P'[i]) (Li and Liang 2021, section 4.3), with the names and the initial
 * distributions of Hugging Face PEFT: {@code embedding} P×E, {@code transform.0} E→M, tanh, {@code transform.2}
 * M→2·L·W.
 *
 * <p>P prefix length, W columns of keys, M hidden width, L layers.
 */
public final class MlpPrefixEncoder extends PrefixEncoder {
    private final Tensor embedding; // [P, W]
    private final Tensor inWeight; // [M, W]
    private final Tensor inBias; // [M]
    private final Tensor outWeight; // [2·L·W, M]
    private final Tensor outBias; // [2·L·W]

    MlpPrefixEncoder(int length, int width, int rowWidth, int hidden, Draws draws) {
        super("MlpPrefixEncoder", length, rowWidth);
        if (hidden < 1) {
            throw new InputException("prefix.hidden must be at least 1, was " + hidden);
        }
        Module table = new Module("Embedding");
        this.embedding = parameter(table, "weight", draws.normal(1, length, width));
        register_module("embedding", table);
        Module transform = new Module("Sequential");
        Module in = new Module("Linear");
        this.inWeight = linear(draws, in, "weight", width, hidden, width);
        this.inBias = linear(draws, in, "bias", width, hidden);
        Module out = new Module("Linear");
        this.outWeight = linear(draws, out, "weight", hidden, rowWidth, hidden);
        this.outBias = linear(draws, out, "bias", hidden, rowWidth);
        transform.register_module("0", in);
        transform.register_module("2", out); // 1 is the tanh
        register_module("transform", transform);
    }

    /** Uniform within ±1/√in, what PyTorch's {@code Linear} starts with. */
    private static Tensor linear(Draws draws, Module module, String name, int in, long... shape) {
        return parameter(module, name, draws.uniform(1 / Math.sqrt(in), shape));
    }

    @Override
    public Tensor forward() {
        return torch.addmm(outBias, hidden(), outWeight.t()); // [P, 2·L·W]
    }

    /** [P, M] */
    private Tensor hidden() {
        return torch.tanh(torch.addmm(inBias, embedding, inWeight.t()));
    }

    @Override
    public Map<String, Gradient> gradients(Tensor dVectors) {
        try (NoGradGuard _ = new NoGradGuard()) {
            Tensor hidden = hidden(); // [P, M]
            Tensor dHidden = torch.mm(dVectors, outWeight); // [P, M]
            Tensor dIn = dHidden.sub_(dHidden.mul(hidden).mul_(hidden)); // [P, M], before the tanh
            Map<String, Gradient> gradients = new LinkedHashMap<>();
            gradients.put("embedding.weight", new Gradient.Dense(torch.mm(dIn, inWeight))); // [P, W]
            gradients.put("transform.0.weight", new Gradient.Dense(torch.mm(dIn.t(), embedding))); // [M, W]
            gradients.put("transform.0.bias", new Gradient.Dense(sum(dIn))); // [M]
            gradients.put("transform.2.weight", new Gradient.Product(dVectors, hidden)); // [2·L·W, M]
            gradients.put("transform.2.bias", new Gradient.Dense(sum(dVectors))); // [2·L·W]
            return gradients;
        }
    }

    /** Summed over the rows. */
    private static Tensor sum(Tensor x) {
        return torch.sum(x, new long[] {0}, false, new ScalarTypeOptional());
    }

    /**
     * Solves for the last layer. Its inputs are the P fixed activations, so the smallest change of {@code transform.2}
     * that gives the desired vectors is a least-squares problem with an exact solution for P ≤ M.
     */
    @Override
    public double fit(Tensor vectors) {
        try (TensorScope _ = new TensorScope();
                NoGradGuard _ = new NoGradGuard()) {
            Tensor missing = vectors.sub(forward()); // [P, 2·L·W]
            Tensor inverse = torch.linalg_pinv(hidden().to(torch.ScalarType.Double)); // [M, P]
            Tensor change = inverse.matmul(missing.to(torch.ScalarType.Double)); // [M, 2·L·W]
            outWeight.add_(change.t().to(torch.ScalarType.Float));
        }
        return distance(vectors);
    }
}
