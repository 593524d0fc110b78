package dev.prefix4j.pretrain;

import dev.prefix4j.InputException;
import dev.prefix4j.model.Activation;
import dev.prefix4j.model.BaseModel;
import dev.prefix4j.model.Checkpoint;
import dev.prefix4j.model.Families;
import dev.prefix4j.model.ModelConfig;
import dev.prefix4j.model.ModelConfig.Tokens;
import dev.prefix4j.model.gpt2.Gpt2Family;
import dev.prefix4j.torch.TensorScope;
import java.nio.file.Path;
import org.bytedeco.pytorch.Device;
import org.bytedeco.pytorch.global.torch;

/** GPT-2 models for pretraining: new ones, and existing ones to continue. */
public final class Gpt2Models {
    private Gpt2Models() {}

    /**
     * The geometry of a new model; everything else is as in GPT-2.
     *
     * @param layers number of blocks
     * @param end token between documents
     */
    public record Geometry(int layers, int heads, int width, int positions, int vocabulary, int end) {
        /** @throws InputException naming the size that is out of range */
        public void require() {
            config();
        }

        private ModelConfig config() {
            return Gpt2Family.config(
                    layers,
                    heads,
                    width,
                    positions,
                    vocabulary,
                    4 * width,
                    Activation.GELU_TANH,
                    1e-5,
                    true,
                    false,
                    true,
                    Tokens.of(end, end));
        }
    }

    /** A model with random weights; the tensors belong to the open scope, or to the caller. */
    public static BaseModel create(Geometry geometry, Device device) {
        return Gpt2Family.initialize(geometry.config(), device);
    }

    /**
     * The configuration of a model whose training is to continue.
     *
     * @throws InputException as {@link Families#read}, or if it is of another family
     */
    public static ModelConfig read(Path folder) {
        ModelConfig config = Families.read(folder);
        if (config.family() != Gpt2Family.GPT2) {
            throw new InputException("%s: expected a GPT-2 to continue training, found a model of the family %s"
                    .formatted(folder, config.family().name()));
        }
        return config;
    }

    /**
     * A model whose training is to continue, with its own copy of the weights; the tensors belong to the open scope, or to the caller.
     *
     * @throws InputException as {@link Checkpoint#load}, or if it is of another family
     */
    public static BaseModel load(Path folder, Device device) {
        read(folder);
        try (TensorScope scope = new TensorScope()) {
            BaseModel stored = Checkpoint.load(folder, device);
            BaseModel own = stored.trainable();
            own.weights().values().forEach(scope::keep);
            return own;
        }
    }

    /** Writes a model as Transformers does: {@link Gpt2Family#save}. */
    public static void save(BaseModel model, Path folder, torch.ScalarType type) {
        Gpt2Family.save(model, folder, type);
    }
}
