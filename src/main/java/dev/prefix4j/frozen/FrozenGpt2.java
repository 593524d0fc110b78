package dev.prefix4j.frozen;

import dev.prefix4j.frozen.FrozenBlock.Result;
import dev.prefix4j.frozen.FrozenBlock.Saved;
import dev.prefix4j.frozen.Operators.Normalized;
import dev.prefix4j.gpt2.Extension;
import dev.prefix4j.gpt2.Gpt2;
import dev.prefix4j.gpt2.Gpt2Config;
import dev.prefix4j.kernels.Kernels;
import dev.prefix4j.text.PackedBatch;
import dev.prefix4j.torch.Safetensors;
import dev.prefix4j.torch.TensorScope;
import dev.prefix4j.torch.TorchRuntime;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.IntStream;
import org.bytedeco.javacpp.DoublePointer;
import org.bytedeco.javacpp.FloatPointer;
import org.bytedeco.javacpp.LongPointer;
import org.bytedeco.pytorch.Device;
import org.bytedeco.pytorch.NoGradGuard;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptions;
import org.bytedeco.pytorch.global.torch;

/**
 * A frozen GPT-2: the loss of packed sequences behind a prefix, and its gradient with respect to the prefix's keys and
 * values. {@link Gpt2} with autograd is the readable reference; this gives the same numbers.
 *
 * <p>The weights of the model are used where they are (float32), or copied in 8 bits ({@link Precision}). A sequence
 * costs what its own tokens cost, the head is applied where a target follows, and so are the last block's query, MLP and
 * normalization.
 *
 * <p>N tokens, M targets, P prefix length, L layers, E width, V vocabulary.
 */
public final class FrozenGpt2 {
    private final Gpt2 model;
    private final Map<String, Tensor> weights;
    private final Gpt2Config config;
    private final KvLayout layout;
    private final Operators operators;
    private final List<FrozenBlock> blocks = new ArrayList<>();
    private final Head head;
    private final boolean recompute;
    private final boolean extended;
    private final boolean evicting; // the words, which the head has in a form of its own

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
        public static Options of(Gpt2 model, Precision precision) {
            return new Options(precision, false, false, model.device().is_cpu() ? Kernels.find() : Optional.empty());
        }

        /** Whether the matrices of the blocks are in a form of our own. */
        private boolean copies() {
            return switch (precision) {
                case FP32 ->
                    decoding && kernels.filter(Kernels::multipliesFloats).isPresent();
                case INT8 -> true;
            };
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
    public FrozenGpt2(Gpt2 model, Precision precision) {
        this(model, Options.of(model, precision));
    }

    /** @param model must stay open; with 8 bits, its weights at this moment count */
    public FrozenGpt2(Gpt2 model, Options options) {
        this(model, Changes.NONE, options);
    }

    /** As {@link #FrozenGpt2(Gpt2, Options)}, of a changed model. */
    public FrozenGpt2(Gpt2 model, Changes changes, Options options) {
        this.model = model;
        this.extended = changes.extension() != Extension.NONE;
        this.weights = new HashMap<>(model.weights());
        weights.putAll(changes.weights());
        if (options.precision() == Precision.INT8) {
            // What is small is read in every step; the system would map much more of the file around each.
            weights.replaceAll((_, tensor) -> tensor.dim() < 2 ? tensor.clone() : tensor);
        }
        this.config = model.config();
        this.layout = KvLayout.of(config);
        this.recompute = options.recompute();
        this.evicting = options.copies();
        Kernels kernels = options.kernels().orElse(null);
        this.operators = kernels == null
                ? new AtenOperators(options.precision())
                : new NativeOperators(kernels, options.precision());
        try (NoGradGuard _ = new NoGradGuard();
                TorchRuntime.LongLived _ = TorchRuntime.require().longLived()) {
            // First what is largest: while it is copied, little else is in memory.
            // a change may part a head from the words that it is tied to
            Tensor words =
                    weights.get(weights.containsKey("lm_head.weight") ? "lm_head.weight" : "wte.weight"); // [V, E]
            this.head = Head.of(words, operators, options.precision(), kernels, options.copies());
            if (options.copies()) {
                Safetensors.evict(words);
            }
            for (int layer = 0; layer < config.layers(); layer++) {
                blocks.add(block(layer, changes.extension(), options));
            }
        }
    }

    private FrozenBlock block(int layer, Extension extension, Options options) {
        String name = "h." + layer + '.';
        boolean last = layer == config.layers() - 1;
        long width = config.width();
        Tensor attention = weights.get(name + "attn.c_attn.weight"); // [E, 3E]
        Tensor bias = weights.get(name + "attn.c_attn.bias");
        FrozenBlock block = new FrozenBlock(
                config,
                operators,
                extension == Extension.NONE ? null : extension,
                "h." + layer,
                weights.get(name + "ln_1.weight"),
                weights.get(name + "ln_1.bias"),
                last ? null : linear(attention, bias, options),
                last ? linear(attention.narrow(1, 0, width), bias.narrow(0, 0, width), options) : null,
                last ? linear(attention.narrow(1, width, 2 * width), bias.narrow(0, width, 2 * width), options) : null,
                linear(name + "attn.c_proj", options),
                weights.get(name + "ln_2.weight"),
                weights.get(name + "ln_2.bias"),
                linear(name + "mlp.c_fc", options),
                linear(name + "mlp.c_proj", options));
        if (options.copies()) {
            for (String matrix : List.of("attn.c_attn", "attn.c_proj", "mlp.c_fc", "mlp.c_proj")) {
                Safetensors.evict(weights.get(name + matrix + ".weight"));
            }
        }
        return block;
    }

    private Linear linear(String name, Options options) {
        return linear(weights.get(name + ".weight"), weights.get(name + ".bias"), options);
    }

    private static Linear linear(Tensor weight, Tensor bias, Options options) {
        Kernels kernels = options.kernels().orElse(null);
        return switch (options.precision()) {
            case FP32 ->
                options.copies()
                        ? Linear.Float32.forDecoding(weight, bias, kernels)
                        : new Linear.Float32(weight, bias, kernels);
            case INT8 -> Int8Linear.of(weight, bias, kernels);
        };
    }

    /**
     * A loss and where it comes from.
     *
     * @param loss sum over the targets, in nats
     * @param gradient of {@code weight · loss} with respect to the activations, [P, 2·L·E]
     * @param embeddings the same with respect to the virtual tokens, [K, E]
     */
    public record Gradient(double loss, Tensor gradient, Tensor embeddings) {}

    /**
     * The batch on the device, and what every block needs of it.
     *
     * @param asked int64 [M], rows that are asked for
     * @param seen what each sequence sees besides itself
     */
    private record Input(Tensor x, long[] offsets, Packing.Queries queries, Tensor asked, List<List<Segment>> seen) {}

    /**
     * What is to be predicted.
     *
     * @param ids int64 [M]
     * @param words their rows of the head, [M, E]
     */
    private record Targets(Tensor ids, Tensor words) {}

    /**
     * Rows of virtual tokens.
     *
     * @param rows int64, of the batch
     * @param tokens int64, which virtual token each is
     */
    private record VirtualRows(Tensor rows, Tensor tokens) {
        boolean any() {
            return rows.numel() > 0;
        }
    }

    /**
     * The loss of a batch and its gradient.
     *
     * @param vectors [P, 2·L·E] as {@code PrefixShape} lays a prefix out, float32; P may be 0
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
     * The losses of a batch and the gradients of what its sequences see.
     *
     * @param losses [B], of each sequence the sum over its targets, in nats
     * @param activations of each soft prompt the gradient of the weighted losses with respect to its activations, [P, 2·L·E]
     * @param embeddings the same with respect to its virtual tokens, [K, E]
     */
    public record Gradients(double[] losses, List<Tensor> activations, List<Tensor> embeddings) {}

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
        if (extended) {
            throw new IllegalStateException("no gradient goes through an extension");
        }
        try (TensorScope scope = new TensorScope();
                NoGradGuard _ = new NoGradGuard()) {
            List<SoftPrompt> own =
                    prompts.stream().map(SoftPrompt::withoutGraph).toList();
            List<Stored> stored = new ArrayList<>();
            List<VirtualRows> virtual = new ArrayList<>();
            for (int i = 0; i < own.size(); i++) {
                Tensor memory = Stored.fromVectors(own.get(i).activations(), layout);
                stored.add(new Stored(memory, torch.zeros_like(memory)));
                virtual.add(virtualRows(batch, of, i, own.get(i).embeddings()));
            }
            Input input = input(batch, own, stored, of);
            Targets targets = targets(batch);
            List<Saved> saved = new ArrayList<>();
            List<Tensor> entered = new ArrayList<>();
            Tensor x = input.x();
            for (int layer = 0; layer < blocks.size(); layer++) {
                entered.add(x);
                try (TensorScope inner = new TensorScope()) {
                    Result result = forward(layer, x, input);
                    x = inner.keep(result.y());
                    if (!recompute) {
                        result.saved().keep(inner);
                        saved.add(result.saved());
                    }
                }
            }
            boolean through = virtual.stream().anyMatch(VirtualRows::any);
            double[] losses = new double[batch.positions().length];
            Tensor dx = lossAndBack(x, targets, objective, weights, losses); // [M, E], then [N, E]
            for (int layer = blocks.size() - 1; layer >= 0; layer--) {
                try (TensorScope inner = new TensorScope()) {
                    Saved kept = recompute
                            ? forward(layer, entered.get(layer), input).saved()
                            : saved.get(layer);
                    dx = blocks.get(layer)
                            .backward(dx, kept, packing(input, layer), asked(input, layer), layer > 0 || through);
                    if (dx != null) {
                        inner.keep(dx);
                    }
                }
            }
            List<Tensor> activations = new ArrayList<>();
            List<Tensor> embeddings = new ArrayList<>();
            for (int i = 0; i < own.size(); i++) {
                Tensor gradient = torch.zeros_like(own.get(i).embeddings()); // [K, E]
                VirtualRows rows = virtual.get(i);
                if (rows.any()) {
                    gradient.index_add_(0, rows.tokens(), torch.index_select(dx, 0, rows.rows()));
                }
                activations.add(scope.keep(Stored.toVectors(stored.get(i).gradient())));
                embeddings.add(scope.keep(gradient));
            }
            return new Gradients(bySequence(batch, losses), activations, embeddings);
        }
    }

    /** Sums of what belongs to targets, by sequence. */
    private static double[] bySequence(PackedBatch batch, double[] ofTargets) {
        double[] sums = new double[batch.sequences()];
        int target = 0;
        for (int b = 0; b < sums.length; b++) {
            while (target < ofTargets.length && batch.positions()[target] < batch.offsets()[b + 1]) {
                sums[b] += ofTargets[target++];
            }
        }
        return sums;
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
            Input input = input(
                    batch,
                    List.of(own),
                    List.of(new Stored(Stored.fromVectors(own.activations(), layout))),
                    new int[batch.sequences()]);
            Tensor x = hidden(input);
            return sum(
                    head.loss(normalize(x).rows(), model.ids(batch.targets())).losses());
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
            Input input = input(
                    batch,
                    List.of(own),
                    List.of(new Stored(Stored.fromVectors(own.activations(), layout))),
                    new int[batch.sequences()]);
            Rows rows = normalize(hidden(input)).rows(); // [M, E]
            return new Predictions(head, rows.keep(scope));
        }
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

    public Gpt2Config config() {
        return config;
    }

    /** Where the weights are. */
    public Device device() {
        return model.device();
    }

    /** A prefix of length 0, [0, 2·L·E]. */
    public Tensor noPrefix() {
        return torch.empty(
                new long[] {0, 2L * config.layers() * config.width()}, model.options(torch.ScalarType.Float), null);
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

    /** As {@link Gpt2#requireRoom}. */
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
        Input input = input(batch, positions, seen, vectors);
        Tensor index = model.ids(places);
        Tensor x = input.x();
        for (int layer = 0; layer < blocks.size(); layer++) {
            try (TensorScope inner = new TensorScope()) {
                Result result = forward(layer, x, input);
                pool.write(layer, index, result.saved().kv());
                x = inner.keep(result.y());
            }
        }
        return head.logits(normalize(x).rows());
    }

    /** What {@link Session#step} does. */
    Tensor step(long[] tokens, long[] positions, List<List<Segment>> seen, long[] places, Stored pool) {
        Tensor index = model.ids(places);
        Tensor x = words(tokens).add_(positions(positions)); // [R, E]
        for (int layer = 0; layer < blocks.size(); layer++) {
            try (TensorScope inner = new TensorScope()) {
                Sight sight = new Sight(config.heads(), config.attentionScale(layer), layer, seen);
                x = inner.keep(blocks.get(layer).step(x, sight, pool, index));
            }
        }
        return head.logits(normalize(x).rows());
    }

    /** [N, E]. */
    private Tensor words(long[] ids) {
        return torch.embedding(weights.get("wte.weight"), model.ids(ids));
    }

    /** [N, E]. */
    private Tensor positions(long[] positions) {
        return torch.embedding(weights.get("wpe.weight"), model.ids(positions));
    }

    /** Where the head is a copy only a few rows of the float32 table are read; the system maps much more around each. */
    private void evictEmbedding() {
        if (evicting) {
            Safetensors.evict(weights.get("wte.weight"));
            Safetensors.evict(head.weight());
        }
    }

    /**
     * The input of sequences that see soft prompts.
     *
     * @param stored the activations of each
     * @param of [B], which one a sequence sees
     */
    private Input input(PackedBatch batch, List<SoftPrompt> prompts, List<Stored> stored, int[] of) {
        long[] offsets = batch.offsets();
        long[] positions = new long[batch.tokens()];
        List<List<Segment>> seen = new ArrayList<>();
        List<Tensor> vectors = new ArrayList<>();
        int query = 0;
        for (int b = 0; b < batch.sequences(); b++) {
            SoftPrompt prompt = prompts.get(of[b]);
            int past = prompt.length();
            model.requireRoom(past, (int) (offsets[b + 1] - offsets[b]), 0);
            int from = switch (prompt.place()) { // first position behind the activations
                case PREFIX -> 0;
                case INFIX -> (int) (batch.positions()[query] - offsets[b]);
            };
            for (long i = offsets[b]; i < offsets[b + 1]; i++) {
                positions[(int) i] = i - offsets[b] + (i - offsets[b] >= from ? past : 0);
            }
            while (query < batch.positions().length && batch.positions()[query] < offsets[b + 1]) {
                query++;
            }
            seen.add(List.of(new Segment(stored.get(of[b]), 0, past, from, prompt.firstLayer(), prompt.lastLayer())));
            vectors.add(prompt.embeddings());
        }
        return input(batch, positions, seen, vectors);
    }

    /**
     * @param positions of all tokens in the model
     * @param vectors of virtual tokens, of each sequence; null: none
     */
    private Input input(PackedBatch batch, long[] positions, List<List<Segment>> seen, List<Tensor> vectors) {
        long[] offsets = batch.offsets();
        int[] asked = new int[batch.positions().length];
        long[] queryOffsets = new long[offsets.length];
        int query = 0;
        for (int b = 0; b < batch.sequences(); b++) {
            while (query < asked.length && batch.positions()[query] < offsets[b + 1]) {
                asked[query] = (int) (batch.positions()[query] - offsets[b]);
                query++;
            }
            queryOffsets[b + 1] = query;
        }
        Tensor x = words(Arrays.stream(batch.ids()).map(id -> Math.max(0, id)).toArray()); // [N, E]
        List<Tensor> distinct = vectors.stream().distinct().toList(); // by identity: tensors have no other equality
        int[] of = vectors.stream().mapToInt(distinct::indexOf).toArray();
        for (int i = 0; i < distinct.size(); i++) {
            VirtualRows virtual = virtualRows(batch, of, i, distinct.get(i));
            if (virtual.any()) {
                x.index_copy_(0, virtual.rows(), torch.index_select(distinct.get(i), 0, virtual.tokens()));
            }
        }
        x.add_(positions(positions));
        evictEmbedding();
        return new Input(x, offsets, new Packing.Queries(queryOffsets, asked), model.ids(batch.positions()), seen);
    }

    private Targets targets(PackedBatch batch) {
        Tensor ids = model.ids(batch.targets()); // [M]
        Tensor words = torch.embedding(head.weight(), ids); // [M, E]
        evictEmbedding();
        return new Targets(ids, words);
    }

    /**
     * Rows of virtual tokens of the sequences b with of[b] = one.
     *
     * @param vectors of virtual tokens [K, E]; null: none
     */
    private VirtualRows virtualRows(PackedBatch batch, int[] of, int one, Tensor vectors) {
        long[] ids = batch.ids();
        long[] rows = IntStream.range(0, of.length)
                .filter(b -> of[b] == one)
                .flatMap(b -> IntStream.range((int) batch.offsets()[b], (int) batch.offsets()[b + 1]))
                .filter(i -> ids[i] < 0)
                .asLongStream()
                .toArray();
        long[] tokens = Arrays.stream(rows).map(i -> -ids[(int) i] - 1).toArray();
        for (long token : tokens) {
            if (vectors == null || token >= vectors.size(0)) {
                throw new IllegalArgumentException("virtual token %d: expected less than %d"
                        .formatted(token, vectors == null ? 0 : vectors.size(0)));
            }
        }
        return new VirtualRows(model.ids(rows), model.ids(tokens));
    }

    /** In the last block only the rows that predict a target ask. */
    private Tensor asked(Input input, int layer) {
        return layer == config.layers() - 1 ? input.asked() : null;
    }

    private Packing packing(Input input, int layer) {
        return new Packing(
                config.heads(),
                config.attentionScale(layer),
                layer,
                input.offsets(),
                layer == config.layers() - 1 ? Optional.of(input.queries()) : Optional.empty(),
                input.seen());
    }

    private Normalized normalize(Tensor x) {
        return operators.normalize(x, weights.get("ln_f.weight"), weights.get("ln_f.bias"), config.layerNormEpsilon());
    }

    /**
     * The losses and their gradient, from the normalization after the last block on.
     *
     * @param x [M, E], after the last block
     * @param ofTargets weight of each, [M]
     * @param losses takes them, [M]
     * @return [M, E]
     */
    private Tensor lossAndBack(Tensor x, Targets targets, Objective objective, double[] ofTargets, double[] losses) {
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
            operators.normalizeBackward(dy, x, weights.get("ln_f.weight"), normalized, dx);
        }
        return dx;
    }

    private Result forward(int layer, Tensor x, Input input) {
        return blocks.get(layer).forward(x, packing(input, layer), asked(input, layer));
    }

    private static double sum(Tensor losses) {
        return torch.sum(losses).item_double();
    }
}
