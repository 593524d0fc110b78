package dev.prefix4j.task;

import dev.prefix4j.frozen.Precision;
import dev.prefix4j.method.Fingerprint;
import dev.prefix4j.model.BaseModel;
import dev.prefix4j.model.Checkpoint;
import dev.prefix4j.model.ModelConfig;
import dev.prefix4j.text.Tokenizer;
import dev.prefix4j.torch.TensorScope;
import dev.prefix4j.torch.TorchRuntime;
import java.nio.file.Path;
import java.util.Optional;
import org.bytedeco.pytorch.Device;
import org.jspecify.annotations.Nullable;

/**
 * A model and its tokenizer, in memory until closed. It opens a {@link TensorScope} that owns the tensors made from it later: use it
 * in the thread that loaded it, and close it after everything that was opened later.
 */
public final class LanguageModel implements AutoCloseable {
    private final String name;
    private final Path folder;
    private final TensorScope scope;
    private final BaseModel base;
    private @Nullable Tokenizer tokenizer; // null: not loaded yet
    private @Nullable Fingerprint fingerprint; // null: not computed yet

    /**
     * Loads a model onto the CPU, with the hub settings of the process's environment.
     *
     * @param name a folder, {@code builtin:tiny}, or {@code owner/name[@revision]} on the hub
     * @throws dev.prefix4j.InputException as {@link Models#load}
     */
    public static LanguageModel load(String name) {
        return Models.ofProcess().load(name, "cpu");
    }

    LanguageModel(String name, Path folder, String device, Precision precision) {
        this.name = name;
        this.folder = folder;
        this.scope = new TensorScope();
        try {
            this.base = read(folder, TorchRuntime.device(device), precision);
        } catch (RuntimeException e) {
            scope.close();
            throw e;
        }
    }

    /** The weights of a folder, for a precision; they belong to the open scope. */
    static BaseModel read(Path folder, Device device, Precision precision) {
        return switch (precision) {
            case FP32 -> Checkpoint.load(folder, device);
            case INT8 -> Checkpoint.open(folder, device);
        };
    }

    /** The name that it was loaded by. */
    public String name() {
        return name;
    }

    /** The folder that it was loaded from. */
    public Path folder() {
        return folder;
    }

    /** Its weights. */
    public BaseModel base() {
        return base;
    }

    /** Its geometry and tokens. */
    public ModelConfig config() {
        return base.config();
    }

    /**
     * Its tokenizer, which refuses a text with tokens that the model does not know.
     *
     * @throws dev.prefix4j.InputException if the folder has none, or one of another model
     */
    public Tokenizer tokenizer() {
        if (tokenizer == null) {
            tokenizer = Tokenizer.load(folder);
            tokenizer.requireBelow(config().vocabulary());
        }
        return tokenizer;
    }

    /** Identifies the model; computed from its weights when first called. */
    public Fingerprint fingerprint() {
        if (fingerprint == null) {
            fingerprint = Fingerprint.of(base, tokenizer());
        }
        return fingerprint;
    }

    /**
     * How the base of an adapter differs from this model, in words; empty if it does not, or if nothing is known about it.
     *
     * @throws dev.prefix4j.InputException if the adapter's files are malformed
     */
    public Optional<String> difference(Path adapter) {
        return fingerprint().difference(adapter, ModelName.base(name));
    }

    @Override
    public void close() {
        if (tokenizer != null) {
            tokenizer.close();
            tokenizer = null;
        }
        scope.close();
    }
}
