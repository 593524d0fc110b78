package dev.prefix4j.model;

import dev.prefix4j.InputException;
import dev.prefix4j.Named;
import dev.prefix4j.model.BlockWeights.NormWeights;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.bytedeco.pytorch.Device;
import org.bytedeco.pytorch.DeviceOptional;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptions;
import org.bytedeco.pytorch.global.torch;

/**
 * A model as a checkpoint has it: its configuration, and its weights by name and by role. {@link Checkpoint} loads it;
 * {@link AutogradModel} runs it where autograd is to follow. Vectors are float32; matrices are too, or bfloat16 or float16 where the
 * checkpoint has them so and {@link Checkpoint#open} was asked for the model.
 *
 * <p>E width, V vocabulary.
 */
public final class BaseModel {
    private final ModelConfig config;
    private final Device device;
    private final Map<String, Tensor> weights;

    /** @param weights by the names of {@link Shapes}, in its order, on the device */
    public BaseModel(ModelConfig config, Device device, Map<String, Tensor> weights) {
        this.config = config;
        this.device = device;
        this.weights = Collections.unmodifiableMap(new LinkedHashMap<>(weights));
    }

    /** A copy with some weights replaced; it may get a head separate from the token embedding. */
    public BaseModel with(Map<String, Tensor> changes) {
        Map<String, Tensor> changed = new LinkedHashMap<>(weights);
        changed.putAll(changes);
        return new BaseModel(config, device, changed);
    }

    /** A copy with its own float32 weights that require gradients; they belong to the open scope. */
    public BaseModel trainable() {
        Map<String, Tensor> own = new LinkedHashMap<>();
        weights.forEach((name, weight) ->
                own.put(name, weight.detach().clone().to(torch.ScalarType.Float).requires_grad_(true)));
        return new BaseModel(config, device, own);
    }

    public ModelConfig config() {
        return config;
    }

    /** Where the weights are; inputs must be there too. */
    public Device device() {
        return device;
    }

    /** The weights by their names in a checkpoint, without the stem, in the order of the model; its own tensors. */
    public Map<String, Tensor> weights() {
        return weights;
    }

    /** Number of parameters. */
    public long parameterCount() {
        return weights.values().stream().mapToLong(Tensor::numel).sum();
    }

    private Family.Names names() {
        return config.family().names();
    }

    /** Name of the token embedding among the {@link #weights}. */
    public String wordsName() {
        return names().words() + ".weight";
    }

    /** The token embedding, [V, E]. */
    public Tensor words() {
        return weight(wordsName());
    }

    /** Vectors of tokens int64 [...]: float32 [..., E], without positions. */
    public Tensor words(Tensor ids) {
        return torch.embedding(words(), ids).to(torch.ScalarType.Float);
    }

    /** Vectors of positions int64 [...]: float32 [..., E]; only where they are no rotations. */
    public Tensor positions(Tensor ids) {
        return torch.embedding(weights.get(names().positions() + ".weight"), ids)
                .to(torch.ScalarType.Float);
    }

    /** The output head, [V, E]. */
    public Tensor head() {
        Tensor own = weights.get(Family.Names.HEAD + ".weight");
        return own == null ? words() : own;
    }

    private Tensor weight(String name) {
        return Named.get(weights, name);
    }

    /** The final normalization. */
    public NormWeights norm() {
        return norm(names().norm());
    }

    private NormWeights norm(String name) {
        return new NormWeights(weight(name + ".weight"), weights.get(name + ".bias"));
    }

    private Affine affine(String name) {
        Tensor weight = weight(name + ".weight");
        return new Affine(name, names().inputsFirst() ? weight : weight.t(), weights.get(name + ".bias"));
    }

    private List<Affine> affine(List<String> names) {
        return names.stream().map(this::affine).toList();
    }

    /** The weights of a block, counted from 0. */
    public BlockWeights block(int layer) {
        Family.Block block = names().block().apply(layer);
        return new BlockWeights(
                block,
                norm(block.attentionNorm()),
                affine(block.attentionInputs()),
                weights.get(block.queryNorm() + ".weight"),
                weights.get(block.keyNorm() + ".weight"),
                affine(block.attentionOutput()),
                norm(block.mlpNorm()),
                affine(block.mlpInputs()),
                affine(block.mlpOutput()));
    }

    /** Ids as an int64 tensor [N] on the model's device. */
    public Tensor ids(long[] values) {
        return torch.tensor(values, options(torch.ScalarType.Long));
    }

    /** Ids as an int64 tensor [rows, N / rows] on the model's device. */
    public Tensor ids(long[] values, int rows) {
        return ids(values).view(rows, values.length / rows);
    }

    /** Options for a tensor on the weights' device. */
    public TensorOptions options(torch.ScalarType type) {
        return new TensorOptions(type).device(new DeviceOptional(device));
    }

    /**
     * Checks that a sequence fits the model.
     *
     * @param past tokens before it, such as the prefix
     * @param tokens of the sequence itself
     * @param toGenerate tokens to generate after it
     * @throws InputException with the token budget in the message
     */
    public void requireRoom(int past, int tokens, int toGenerate) {
        long needed = (long) past + tokens + toGenerate;
        if (needed > config.positions()) {
            throw new InputException(
                    "too long for the model: %d positions of prefix + %d of tokens%s = %d, the model has %d"
                            .formatted(
                                    past,
                                    tokens,
                                    toGenerate == 0 ? "" : " + " + toGenerate + " to generate",
                                    needed,
                                    config.positions()));
        }
    }
}
