package dev.prefix4j.frozen;

import dev.prefix4j.frozen.FrozenBlock.Result;
import dev.prefix4j.frozen.FrozenBlock.Saved;
import dev.prefix4j.frozen.GradientPass.Gradients;
import dev.prefix4j.frozen.InputLayer.Input;
import dev.prefix4j.frozen.Operators.Normalized;
import dev.prefix4j.kernels.Attention;
import dev.prefix4j.kernels.Kernels;
import dev.prefix4j.model.BaseModel;
import dev.prefix4j.model.BlockWeights.NormWeights;
import dev.prefix4j.model.Extension;
import dev.prefix4j.model.ModelConfig;
import dev.prefix4j.text.PackedBatch;
import dev.prefix4j.torch.Safetensors;
import dev.prefix4j.torch.TensorScope;
import dev.prefix4j.torch.TorchRuntime;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.bytedeco.javacpp.DoublePointer;
import org.bytedeco.javacpp.FloatPointer;
import org.bytedeco.javacpp.LongPointer;
import org.bytedeco.pytorch.Device;
import org.bytedeco.pytorch.NoGradGuard;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptions;
import org.bytedeco.pytorch.global.torch;

/**
 * A frozen language model: the loss of packed sequences behind a prefix, and its gradient with respect to the prefix's keys and
 * values. {@code AutogradModel} is the readable reference; this gives the same numbers.
 *
 * <p>The weights of the model are used where they are (float32), or copied in 8 bits ({@link Precision}). A sequence
 * costs what its own tokens cost, the head is applied where a target follows, and so are the last block's query, MLP and
 * normalization.
 *
 * <p>N tokens, M targets, P prefix length, L layers, E width, W columns of keys, V vocabulary.
 */
public final class FrozenModel {
    private final BaseModel model; // with its changes
    private final ModelConfig config;
    private final KvLayout layout;
    private final Attention.Heads heads;
    private final Operators operators;
    private final List<FrozenBlock> blocks = new ArrayList<>();
    private final NormWeights norm;
    private final Head head;
    private final InputLayer inputLayer;
    private final boolean recompute;
    private final boolean extended;

    /**
     * What a model has other than its checkpoint.
     *
     * @param weights in place of those of the same names
     * @param extension its {@link Extension#half} is asked; no gradient goes through it
     */
    public record Changes(Map<String, Tensor> weights, Extension extension) {
        /** None. */
        public static final Changes NONE = new Changes(Map.of(), Extension.NONE);
    }

    /**
     * How to compute.
     *
     * @param recompute keep only what comes into each block and compute the rest again on the way back: less memory, a
     *     forward pass more
     * @param decoding whether few rows at a time are to be fast, as in decoding: for our kernels float32 weights are then
     *     copied into strips; otherwise they stay where the model has them, in its file
     * @param kernels absent: in operators of libtorch
     */
    public record Options(Precision precision, boolean recompute, boolean decoding, Optional<Kernels> kernels) {
        /** For training; with the kernels that this machine has, if the model is on its CPU. */
        public static Options of(BaseModel model, Precision precision) {
            return new Options(precision, false, false, model.device().is_cpu() ? Kernels.find() : Optional.empty());
        }

        private WeightForm form() {
            boolean strips = precision == Precision.FP32
                    && decoding
                    && kernels.filter(Kernels::multipliesFloats).isPresent();
            return new WeightForm(precision, strips, kernels.orElse(null));
        }

        /** The same in less memory and more time. */
        public Options recomputing() {
            return new Options(precision, true, decoding, kernels);
        }

        /** The same for decoding. */
        public Options forDecoding() {
            return new Options(precision, recompute, true, kernels);
        }
    }

    /** With the kernels that this machine has. */
    public FrozenModel(BaseModel model, Precision precision) {
        this(model, Options.of(model, precision));
    }

    /** @param model must stay open; with 8 bits, its weights at this moment count */
    public FrozenModel(BaseModel model, Options options) {
        this(model, Changes.NONE, options);
    }

    /** As {@link #FrozenModel(BaseModel, Options)}, of a changed model. */
    public FrozenModel(BaseModel model, Changes changes, Options options) {
        WeightForm form = options.form();
        Map<String, Tensor> changed = new LinkedHashMap<>(changes.weights());
        if (form.precision() == Precision.INT8) {
            // What is small is read in every step; the system would map much more of the file around each.
            model.with(changed).weights().forEach((name, tensor) -> {
                if (tensor.dim() < 2) {
                    changed.put(name, tensor.clone());
                }
            });
        }
        this.model = model.with(changed);
        this.config = model.config();
        this.layout = KvLayout.of(config);
        this.heads = new Attention.Heads(
                config.heads(),
                config.keyHeads(),
                config.headWidth(),
                config.attention().rotary().map(rotary -> rotary.columns()).orElse(0));
        this.extended = changes.extension() != Extension.NONE;
        this.recompute = options.recompute();
        this.operators = form.kernels() == null ? new AtenOperators() : new NativeOperators(form.kernels());
        this.norm = this.model.norm();
        this.inputLayer = new InputLayer(this.model, form.copies());
        try (NoGradGuard _ = new NoGradGuard();
                TorchRuntime.LongLived _ = TorchRuntime.require().longLived()) {
            // First what is largest: while it is copied, little else is in memory.
            Tensor words = this.model.head(); // [V, E]
            this.head = Head.of(words, operators, form);
            if (form.copies()) {
                Safetensors.evict(words);
            }
            for (int layer = 0; layer < config.layers(); layer++) {
                blocks.add(FrozenBlock.of(
                        config,
                        operators,
                        changes.extension(),
                        this.model.block(layer),
                        form,
                        layer == config.layers() - 1));
            }
        }
    }

    /**
     * A loss and where it comes from.
     *
     * @param loss sum over the targets, in nats
     * @param gradient of {@code weight · loss} with respect to the activations, [P, 2·L·W]
     * @param embeddings the same with respect to the virtual tokens, [K, E]
     */
    public record Gradient(double loss, Tensor gradient, Tensor embeddings) {}

    /**
     * The loss of a batch and its gradient.
     *
     * @param vectors [P, 2·L·W] as {@code PrefixShape} lays a prefix out, float32; P may be 0
     * @param weight of each target's loss in the gradient, such as 1/M for a mean
     * @return with tensors that belong to the open scope, or to the caller
     */
    public Gradient gradient(PackedBatch batch, Tensor vectors, double weight) {
        return gradient(batch, SoftPrompt.prefix(vectors, config), Objective.LIKELIHOOD, weight);
    }

    /** As {@link #gradient(PackedBatch, Tensor, double)}, with any soft prompt and objective. */
    public Gradient gradient(PackedBatch batch, SoftPrompt prompt, Objective objective, double weight) {
        double[] weights = new double[batch.positions().length];
        Arrays.fill(weights, weight);
        Gradients all = gradient(batch, List.of(prompt), new int[batch.sequences()], objective, weights);
        return new Gradient(
                Arrays.stream(all.losses()).sum(),
                all.activations().getFirst(),
                all.embeddings().getFirst());
    }

    /**
     * As {@link #gradient(PackedBatch, SoftPrompt, Objective, double)}, where sequences see soft prompts of their own. With our kernels
     * the loss of a sequence and the gradient of a soft prompt are the same bits whatever else is in the batch.
     *
     * @param of [B], index of the soft prompt that each sequence sees
     * @param weights [M], of each target's loss in the gradients
     * @return with tensors that belong to the open scope, or to the caller
     */
    public Gradients gradient(
            PackedBatch batch, List<SoftPrompt> prompts, int[] of, Objective objective, double[] weights) {
        try (GradientPass pass = begin(batch, prompts, of, objective, weights)) {
            while (pass.advance()) {}
            return pass.result();
        }
    }

    /** As {@link #gradient(PackedBatch, List, int[], Objective, double[])}, a block at a time; to be closed. */
    public GradientPass begin(
            PackedBatch batch, List<SoftPrompt> prompts, int[] of, Objective objective, double[] weights) {
        if (extended) {
            throw new IllegalStateException("no gradient goes through an extension");
        }
        return new GradientPass(this, batch, prompts, of, objective, weights);
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
            SoftPrompt own = prompt.withoutGraph();
            Input input = input(batch, own);
            Tensor x = hidden(input);
            return torch.sum(head.loss(normalize(x).rows(), model.ids(batch.targets()))
                            .losses())
                    .item_double();
        }
    }

    /** What a model predicts at the target positions of a batch; it belongs to the scope in which it was made. */
    public static final class Predictions {
        private final Head head;
        private final Rows hidden; // [M, E]

        private Predictions(Head head, Rows hidden) {
            this.head = head;
            this.hidden = hidden;
        }

        /** Logarithms of the probabilities of all words, [M, V]. */
        public Tensor logProbabilities() {
            return torch.log_softmax(head.logits(hidden), 1);
        }
    }

    /** The predictions at the target positions of a batch. */
    public Predictions predictions(PackedBatch batch, SoftPrompt prompt) {
        try (TensorScope scope = new TensorScope();
                NoGradGuard _ = new NoGradGuard()) {
            SoftPrompt own = prompt.withoutGraph();
            Input input = input(batch, own);
            Rows rows = normalize(hidden(input)).rows(); // [M, E]
            return new Predictions(head, rows.keep(scope));
        }
    }

    private Input input(PackedBatch batch, SoftPrompt own) {
        Stored stored = new Stored(Stored.fromVectors(own.activations(), layout));
        return inputLayer.input(batch, List.of(own), List.of(stored), new int[batch.sequences()]);
    }

    /** After the last block, at the target positions, [M, E]. */
    private Tensor hidden(Input input) {
        Tensor x = input.x();
        for (int layer = 0; layer < blocks.size(); layer++) {
            try (TensorScope inner = new TensorScope()) {
                x = inner.keep(forward(layer, x, input).y());
            }
        }
        return x;
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

    /** L. */
    int layers() {
        return blocks.size();
    }

    boolean recomputes() {
        return recompute;
    }

    /** How keys and values are laid out. */
    public KvLayout layout() {
        return layout;
    }

    /** Of float32 tensors beside the model. */
    TensorOptions options() {
        return model.options(torch.ScalarType.Float);
    }

    /** The k likeliest tokens for each row of logits [R, V]. */
    public Best best(Tensor logits, int k) {
        try (TensorScope _ = new TensorScope()) {
            Operators.Top top = operators.top(logits, k);
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
     * What {@link Session#read} does.
     *
     * @param vectors of virtual tokens, of each sequence; null: none
     * @param places int64 [N], in the pool, which takes the keys and values
     */
    Tensor read(
            PackedBatch batch,
            long[] positions,
            List<List<Segment>> seen,
            List<Tensor> vectors,
            long[] places,
            Stored pool) {
        Input input = inputLayer.input(batch, positions, seen, vectors);
        Tensor index = model.ids(places);
        Tensor x = input.x();
        for (int layer = 0; layer < blocks.size(); layer++) {
            try (TensorScope inner = new TensorScope()) {
                Result result = forward(layer, x, input);
                FrozenBlock.Heads own = result.saved().heads();
                pool.write(layer, index, own.k(), own.v());
                x = inner.keep(result.y());
            }
        }
        return head.logits(normalize(x).rows());
    }

    /** What {@link Session#step} does. */
    Tensor step(long[] tokens, long[] positions, List<List<Segment>> seen, long[] places, Stored pool) {
        Tensor index = model.ids(places);
        Tensor x = inputLayer.rows(tokens, positions); // [R, E]
        Turns turns = inputLayer.turns(positions, positions);
        for (int layer = 0; layer < blocks.size(); layer++) {
            try (TensorScope inner = new TensorScope()) {
                Sight sight = new Sight(heads, config.attentionScale(layer), layer, seen);
                x = inner.keep(blocks.get(layer).step(x, sight, turns, pool, index));
            }
        }
        return head.logits(normalize(x).rows());
    }

    Head.Targets targets(PackedBatch batch) {
        Tensor ids = model.ids(batch.targets()); // [M]
        Tensor words = head.rows(ids); // [M, E]
        inputLayer.evict();
        return new Head.Targets(ids, words);
    }

    private boolean last(int layer) {
        return layer == config.layers() - 1;
    }

    private Packing packing(Input input, int layer) {
        return new Packing(
                heads,
                config.attentionScale(layer),
                layer,
                input.offsets(),
                last(layer) ? Optional.of(input.queries()) : Optional.empty(),
                input.seen());
    }

    /** Through a block; in the last one only the rows that predict a target ask. */
    Result forward(int layer, Tensor x, Input input) {
        return blocks.get(layer).forward(x, packing(input, layer), input.turns(), last(layer) ? input.asked() : null);
    }

    /** The way back of {@link #forward}; dy is used up. */
    Tensor backward(int layer, Tensor dy, Saved saved, Input input, boolean through) {
        return blocks.get(layer)
                .backward(dy, saved, packing(input, layer), input.turns(), last(layer) ? input.asked() : null, through);
    }

    private Normalized normalize(Tensor x) {
        return operators.normalize(x, norm, config.norm(), head.form());
    }

    /**
     * The losses and their gradient, from the normalization after the last block on.
     *
     * @param x [M, E], after the last block
     * @param ofTargets weight of each, [M]
     * @param losses takes them, [M]
     * @return [M, E]
     */
    Tensor lossAndBack(Tensor x, Head.Targets targets, Objective objective, double[] ofTargets, double[] losses) {
        Tensor dx = torch.zeros_like(x);
        try (TensorScope _ = new TensorScope()) {
            Normalized normalized = normalize(x);
            Head.Loss result = objective
                    .teacher()
                    .map(teacher -> head.divergence(normalized.rows(), teacher.head, teacher.hidden))
                    .orElseGet(
                            () -> head.loss(normalized.rows(), targets.ids(), targets.words(), objective.smoothing()));
            new DoublePointer(result.losses().cpu().contiguous().data_ptr()).get(losses);
            float[] factors = new float[ofTargets.length];
            for (int i = 0; i < factors.length; i++) {
                factors[i] = (float) ofTargets[i];
            }
            Tensor column =
                    torch.tensor(factors).to(x.device(), torch.ScalarType.Float).unsqueeze(1); // [M, 1]
            Tensor dy = result.gradient().mul_(column); // [M, E]
            operators.normalizeBackward(dy, x, norm, normalized, dx);
        }
        return dx;
    }
}
