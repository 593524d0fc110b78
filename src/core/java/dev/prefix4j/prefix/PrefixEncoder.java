package dev.prefix4j.prefix;

import dev.prefix4j.InputException;
import dev.prefix4j.torch.Draws;
import dev.prefix4j.torch.TensorScope;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import org.bytedeco.pytorch.Device;
import org.bytedeco.pytorch.Module;
import org.bytedeco.pytorch.StringTensorDict;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;

/**
 * What is trained: a module that produces the vectors of a prefix. Its parameters are named as PEFT names them.
 */
public abstract sealed class PrefixEncoder extends Module permits MlpPrefixEncoder, DirectPrefixEncoder {
    private final int length;
    private final int rowWidth;

    /** How the vectors are parametrized. */
    public enum Reparametrization {
        /** Through an MLP: the paper's choice, because direct training is unstable (section 4.3). */
        MLP,
        /** Each element is a parameter. */
        DIRECT;

        /** @throws InputException if there is no such parametrization */
        public static Reparametrization parse(String name) {
            return switch (name.toLowerCase(Locale.ROOT)) {
                case "mlp" -> MLP;
                case "direct" -> DIRECT;
                default -> throw new InputException("reparam: expected mlp or direct, found '" + name + "'");
            };
        }
    }

    PrefixEncoder(String name, int length, int rowWidth) {
        super(name);
        this.length = length;
        this.rowWidth = rowWidth;
    }

    /**
     * Creates an encoder with random parameters.
     *
     * @param hidden width of the MLP; unused for {@link Reparametrization#DIRECT}
     * @param device of the parameters
     * @param draws what they start from
     */
    public static PrefixEncoder create(
            Reparametrization reparametrization, PrefixShape shape, int hidden, Device device, Draws draws) {
        return create(reparametrization, shape.length(), shape.width(), shape.rowWidth(), hidden, device, draws);
    }

    /**
     * As above, for vectors other than those of a prefix for all layers.
     *
     * @param length number of vectors
     * @param width of the matrix P' that is the MLP's input
     * @param rowWidth elements of a vector
     */
    public static PrefixEncoder create(
            Reparametrization reparametrization,
            int length,
            int width,
            int rowWidth,
            int hidden,
            Device device,
            Draws draws) {
        PrefixEncoder encoder = switch (reparametrization) {
            case MLP -> new MlpPrefixEncoder(length, width, rowWidth, hidden, draws);
            case DIRECT -> new DirectPrefixEncoder(length, rowWidth, draws);
        };
        // Drawn on the CPU and moved: the same values on every device.
        encoder.to(device, false);
        return encoder;
    }

    /**
     * Registers a trainable parameter.
     *
     * @return the given tensor, not the module's reference to it, which registering another parameter would move
     */
    static Tensor parameter(Module module, String name, Tensor values) {
        module.register_parameter(name, values, true);
        return values;
    }

    /** Vectors, P. */
    public int length() {
        return length;
    }

    /** Elements of a vector: 2·L·W for a prefix of all layers. */
    public int rowWidth() {
        return rowWidth;
    }

    /** The vectors, [P, 2·L·W], with a graph to the parameters. */
    public abstract Tensor forward();

    /**
     * The gradient of the parameters from that of the vectors; equal to autograd's.
     *
     * @param dVectors gradient with respect to the vectors, [P, 2·L·W]
     * @return by name, as in {@link #state}, in the same order
     */
    public abstract Map<String, Gradient> gradients(Tensor dVectors);

    /**
     * Sets the parameters so that {@link #forward} gives these vectors, as closely as the encoder can.
     *
     * @param vectors [P, 2·L·W]
     * @return the largest absolute difference that remains
     */
    public abstract double fit(Tensor vectors);

    /** The parameters by name, in a fixed order; the same storage as in the module. */
    public Map<String, Tensor> state() {
        Map<String, Tensor> state = new LinkedHashMap<>();
        StringTensorDict named = named_parameters();
        for (long i = 0; i < named.size(); i++) {
            var item = named.get(i);
            state.put(item.key().getString(), new Tensor(item.access()));
        }
        return state;
    }

    /** Number of trained parameters. */
    public long parameterCount() {
        try (TensorScope _ = new TensorScope()) {
            return state().values().stream().mapToLong(Tensor::numel).sum();
        }
    }

    /** The largest absolute difference between this encoder's output and some vectors. */
    final double distance(Tensor vectors) {
        try (TensorScope _ = new TensorScope()) {
            return torch.max(torch.abs(forward().detach().sub(vectors))).item_double();
        }
    }
}
