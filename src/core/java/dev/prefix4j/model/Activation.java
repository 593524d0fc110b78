package dev.prefix4j.model;

import java.util.Arrays;
import java.util.Optional;
import java.util.stream.Collectors;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;

/** The activation functions of checkpoints. */
public enum Activation {
    /**
     * GELU approximated by tanh: {@code gelu_new}, {@code gelu_pytorch_tanh}, {@code gelu_fast} and
     * {@code gelu_accurate} (the same formula in four implementations).
     */
    GELU_TANH("gelu_new", "gelu_pytorch_tanh", "gelu_fast", "gelu_accurate"),
    /** GELU by the error function: {@code gelu}, {@code gelu_python}. */
    GELU("gelu", "gelu_python"),
    /** GELU approximated by x·σ(1.702 x): {@code quick_gelu}. */
    QUICK_GELU("quick_gelu"),
    /** {@code relu}. */
    RELU("relu"),
    /** x·σ(x): {@code silu}, {@code swish}. */
    SILU("silu", "swish"),
    /** {@code tanh}. */
    TANH("tanh");

    private final String key;

    @SuppressWarnings("ImmutableEnumChecker") // nobody writes to it
    private final String[] others;

    Activation(String key, String... others) {
        this.key = key;
        this.others = others;
    }

    /** Its name in a configuration. */
    public String key() {
        return key;
    }

    private boolean has(String name) {
        return key.equals(name) || Arrays.asList(others).contains(name);
    }

    /**
     * The activation for a configuration value.
     *
     * @throws dev.prefix4j.InputException if it is not one of these
     */
    public static Activation read(ConfigFile file, String key, Activation absent) {
        String name = file.text(key, absent.key);
        Optional<Activation> found =
                Arrays.stream(values()).filter(a -> a.has(name)).findFirst();
        return found.orElseThrow(() -> file.wrong(
                key,
                Arrays.stream(values())
                        .map(a -> String.join(", ", a.key, String.join(", ", a.others)))
                        .map(names -> names.replaceFirst(", $", ""))
                        .collect(Collectors.joining(", "))
                        .replaceFirst(", (\\w+)$", " or $1"),
                name));
    }

    /** Applies it to a tensor of any shape. */
    public Tensor of(Tensor x) {
        return switch (this) {
            case GELU_TANH -> torch.gelu(x, "tanh");
            case GELU -> torch.gelu(x);
            case QUICK_GELU -> x.mul(torch.sigmoid(x.mul(new Scalar(1.702))));
            case RELU -> torch.relu(x);
            case SILU -> torch.silu(x);
            case TANH -> torch.tanh(x);
        };
    }
}
