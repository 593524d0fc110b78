package dev.prefix4j.frozen;

import dev.prefix4j.frozen.GradientPass.Gradients;
import dev.prefix4j.kernels.Kernels;
import dev.prefix4j.model.BaseModel;
import dev.prefix4j.model.Extension;
import dev.prefix4j.model.ModelConfig;
import dev.prefix4j.text.PackedBatch;
import dev.prefix4j.torch.TensorScope;
import dev.prefix4j.torch.TorchRuntime;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.bytedeco.javacpp.FloatPointer;
import org.bytedeco.javacpp.LongPointer;
import org.bytedeco.pytorch.Device;
import org.bytedeco.pytorch.NoGradGuard;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptions;
import org.bytedeco.pytorch.global.torch;
import org.jspecify.annotations.Nullable;

/**
 * A frozen language model: the loss of packed sequences behind a prefix, and its gradient with respect to the prefix's keys and
 * values. {@code AutogradModel} is the readable reference; the results are the same.
 *
 * <p>The weights of the model are used in place (float32), or copied in 8 bits ({@link Precision}). A sequence costs only its
 * own tokens. The head is applied only where a target follows, as are the last block's query, MLP and normalization.
 *
 * <p>N tokens, M targets, P prefix length, L layers, E width, W columns of keys, V vocabulary.
 */
public final class FrozenModel {
    private final BaseModel model; // with its changes
    private final ModelConfig config;
    private final KvLayout layout;
    private final Stack stack;
    private final InputLayer inputLayer;
    private final boolean recompute;
    private final Extended extended; // for all rows that are scored, predicted or decoded

    /**
     * Changes of a model relative to its checkpoint.
     *
     * @param weights replace those of the same names
     * @param extension put into the blocks for everything that is scored, predicted or decoded
     */
    public record Changes(Map<String, Tensor> weights, Extension extension) {
        /** No changes. */
        public static final Changes NONE = new Changes(Map.of(), Extension.NONE);
    }

    /**
     * How to compute.
     *
     * @param recompute keep only the input of each block and recompute the rest in the backward pass: less memory, one more
     *     forward pass
     * @param decoding optimize for few rows at a time, as in decoding: for our kernels float32 weights are then copied into
     *     strips; otherwise the model's own are used, in its file
     * @param kernels absent: libtorch's operators are used
     */
    public record Options(Precision precision, boolean recompute, boolean decoding, Optional<Kernels> kernels) {
        /** For training, with the kernels available on this machine if the model is on the CPU. */
        public static Options of(BaseModel model, Precision precision) {
            return new Options(precision, false, false, model.device().is_cpu() ? Kernels.find() : Optional.empty());
        }

        private WeightForm form() {
            boolean strips = precision == Precision.FP32
                    && decoding
                    && kernels.filter(Kernels::multipliesFloats).isPresent();
            return new WeightForm(precision, strips, kernels.orElse(null));
        }

        /** The same options with recomputation: less memory, more time. */
        public Options recomputing() {
            return new Options(precision, true, decoding, kernels);
        }

        /** The same options for decoding. */
        public Options forDecoding() {
            return new Options(precision, recompute, true, kernels);
        }
    }

    /** With the kernels available on this machine. */
    public FrozenModel(BaseModel model, Precision precision) {
        this(model, Options.of(model, precision));
    }

    /** @param model must stay open; in 8 bits, later changes of its weights have no effect */
    public FrozenModel(BaseModel model, Options options) {
        this(model, Changes.NONE, options);
    }

    /** As {@link #FrozenModel(BaseModel, Options)}, for a changed model. */
    public FrozenModel(BaseModel model, Changes changes, Options options) {
        WeightForm form = options.form();
        Map<String, Tensor> changed = new LinkedHashMap<>(changes.weights());
        if (form.precision() == Precision.INT8) {
            // Small tensors are read in every step, and the system would map much more of the file around each.
            model.with(changed).weights().forEach((name, tensor) -> {
                if (tensor.dim() < 2) {
                    changed.put(name, tensor.clone());
                }
            });
        }
        this.model = model.with(changed);
        this.config = model.config();
        this.layout = KvLayout.of(config);
        this.recompute = options.recompute();
        Operators operators = form.kernels() == null ? new AtenOperators() : new NativeOperators(form.kernels());
        this.extended = Extended.all(changes.extension(), operators);
        this.inputLayer = new InputLayer(this.model, form.copies());
        try (NoGradGuard _ = new NoGradGuard();
                TorchRuntime.LongLived _ = TorchRuntime.require().longLived()) {
            this.stack = new Stack(this.model, operators, form);
        }
    }

    private FrozenModel(FrozenModel of, Extension extension) {
        this.model = of.model;
        this.config = of.config;
        this.layout = of.layout;
        this.stack = of.stack;
        this.inputLayer = of.inputLayer;
        this.recompute = of.recompute;
        this.extended = Extended.all(extension, stack.operators());
    }

    /**
     * The same model, in the same memory, with an extension in its blocks for everything that is scored, predicted or decoded.
     *
     * @param extension its tensors must stay open
     */
    public FrozenModel with(Extension extension) {
        return new FrozenModel(this, extension);
    }

    /**
     * A loss and its gradient.
     *
     * @param loss sum over the targets, in nats
     * @param gradient of {@code weight · loss} with respect to the activations, [P, 2·L·W]
     * @param embeddings the gradient with respect to the virtual tokens, [K, E]
     */
    public record Gradient(double loss, Tensor gradient, Tensor embeddings) {}

    /**
     * The loss of a batch and its gradient.
     *
     * @param vectors [P, 2·L·W] as {@code PrefixShape} lays a prefix out, float32; P may be 0
     * @param weight of each target's loss in the gradient, such as 1/M for the mean
     * @return with tensors that belong to the open scope, or to the caller
     */
    public Gradient gradient(PackedBatch batch, Tensor vectors, double weight) {
        return gradient(
                batch,
                SoftPrompt.prefix(vectors, config),
                Objective.likelihood(weight).each(batch.positions().length));
    }

    /**
     * As {@link #gradient(PackedBatch, Tensor, double)}, with any soft prompt.
     *
     * @param targets [M], the objective of each target
     */
    public Gradient gradient(PackedBatch batch, SoftPrompt prompt, List<Objective> targets) {
        Gradients all = gradient(batch, List.of(Adaptation.of(prompt)), new int[batch.sequences()], targets);
        Adaptation.Gradient one = all.adaptations().getFirst();
        return new Gradient(Arrays.stream(all.losses()).sum(), one.activations(), one.embeddings());
    }

    /**
     * The losses of a batch whose sequences have separate adaptations, and the gradients. With our kernels the loss of a sequence
     * and the gradient of an adaptation are bit-identical whatever else is in the batch.
     *
     * @param of [B], index of the adaptation of each sequence
     * @param targets [M], the objective of each target
     * @return with tensors that belong to the open scope, or to the caller
     */
    public Gradients gradient(PackedBatch batch, List<Adaptation> adaptations, int[] of, List<Objective> targets) {
        try (GradientPass pass = begin(batch, adaptations, of, targets)) {
            while (pass.advance()) {}
            return pass.result();
        }
    }

    /** As {@link #gradient(PackedBatch, List, int[], List)}, one block at a time; the caller closes the pass. */
    public GradientPass begin(PackedBatch batch, List<Adaptation> adaptations, int[] of, List<Objective> targets) {
        if (!extended.parts().isEmpty()) {
            throw new IllegalStateException("gradient: expected a model without an extension for all rows");
        }
        return new GradientPass(this, batch, adaptations, of, targets);
    }

    /**
     * The loss of a batch.
     *
     * @param vectors as in {@link #gradient(PackedBatch, Tensor, double)}
     * @return sum over the targets, in nats
     */
    public double loss(PackedBatch batch, Tensor vectors) {
        return loss(batch, SoftPrompt.prefix(vectors, config));
    }

    /** As {@link #loss(PackedBatch, Tensor)}, with any soft prompt. */
    public double loss(PackedBatch batch, SoftPrompt prompt) {
        try (TensorScope _ = new TensorScope();
                NoGradGuard _ = new NoGradGuard()) {
            return torch.sum(stack.head()
                            .loss(hidden(batch, prompt), model.ids(batch.targets()))
                            .losses())
                    .item_double();
        }
    }

    /** The predictions at the target positions of a batch. */
    public Predictions predictions(PackedBatch batch, SoftPrompt prompt) {
        try (TensorScope scope = new TensorScope();
                NoGradGuard _ = new NoGradGuard()) {
            return new Predictions(stack.head(), hidden(batch, prompt).keep(scope));
        }
    }

    /** Hidden states at the target positions, [M, E]. */
    private Rows hidden(PackedBatch batch, SoftPrompt prompt) {
        SoftPrompt own = prompt.withoutGraph();
        Stored stored = new Stored(Stored.fromVectors(own.activations(), layout));
        return stack.hidden(
                inputLayer.input(batch, List.of(own), List.of(stored), new int[batch.sequences()]), extended);
    }

    /**
     * Reads vectors at the first positions; the caller closes the result.
     *
     * @param embeddings float32 [P, E], without position embeddings; P at least 1
     * @throws dev.prefix4j.InputException if the model has fewer positions
     */
    public PromptReading read(Tensor embeddings) {
        return new PromptReading(this, embeddings);
    }

    /** The embeddings of tokens, [n, E], without position embeddings. */
    public Tensor embeddings(int[] ids) {
        Tensor vectors = model.words(model.ids(Arrays.stream(ids).asLongStream().toArray()));
        inputLayer.evict();
        return vectors;
    }

    public ModelConfig config() {
        return config;
    }

    /** Where the weights are. */
    public Device device() {
        return model.device();
    }

    /** A prefix of length 0, [0, 2·L·W]. */
    public Tensor noPrefix() {
        return torch.empty(new long[] {0, 2L * config.layers() * config.keyColumns()}, options(), null);
    }

    InputLayer inputLayer() {
        return inputLayer;
    }

    Stack stack() {
        return stack;
    }

    boolean recomputes() {
        return recompute;
    }

    /** The layout of keys and values. */
    public KvLayout layout() {
        return layout;
    }

    /** For float32 tensors on the model's device. */
    TensorOptions options() {
        return model.options(torch.ScalarType.Float);
    }

    /** The k likeliest tokens for each row of logits [R, V]. */
    public Best best(Tensor logits, int k) {
        try (TensorScope _ = new TensorScope()) {
            Operators.Top top = stack.operators().top(logits, k);
            int rows = (int) logits.size(0);
            float[] values = new float[rows * k];
            long[] tokens = new long[rows * k];
            Tensor scores = top.values().cpu().contiguous();
            Tensor indices = top.indices().cpu().contiguous();
            new FloatPointer(scores.data_ptr()).get(values);
            new LongPointer(indices.data_ptr()).get(tokens);
            return new Best(rows, values, tokens);
        }
    }

    /** As {@link BaseModel#requireRoom}. */
    public void requireRoom(int past, int tokens, int toGenerate) {
        model.requireRoom(past, tokens, toGenerate);
    }

    /**
     * Implements {@link Session#read}.
     *
     * @param vectors of the virtual tokens of each sequence; null: none
     * @param places int64 [N], where the keys and values are written in the pool
     */
    Tensor read(
            PackedBatch batch,
            long[] positions,
            List<List<Segment>> seen,
            List<@Nullable Tensor> vectors,
            long[] places,
            Stored pool) {
        return stack.read(inputLayer.input(batch, positions, seen, vectors), model.ids(places), pool, extended);
    }

    /** Implements {@link Session#step}. */
    Tensor step(long[] tokens, long[] positions, List<List<Segment>> seen, long[] places, Stored pool) {
        return stack.step(
                inputLayer.rows(tokens, positions), // [R, E]
                inputLayer.turns(positions, positions),
                seen,
                model.ids(places),
                pool,
                extended);
    }

    Head.Targets targets(PackedBatch batch) {
        Tensor ids = model.ids(batch.targets()); // [M]
        Tensor words = stack.head().rows(ids); // [M, E]
        inputLayer.evict();
        return new Head.Targets(ids, words);
    }
}
