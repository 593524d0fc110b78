package dev.prefix4j.frozen;

import dev.prefix4j.frozen.FrozenBlock.PrefixLayer;
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
import org.bytedeco.pytorch.Device;
import org.bytedeco.pytorch.NoGradGuard;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
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
    private final Operators operators;
    private final List<FrozenBlock> blocks = new ArrayList<>();
    private final Head head;
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
        this.recompute = options.recompute();
        Kernels kernels = options.kernels().orElse(null);
        this.operators = kernels == null
                ? new AtenOperators(options.precision())
                : new NativeOperators(kernels, options.precision());
        try (NoGradGuard _ = new NoGradGuard();
                TorchRuntime.LongLived _ = TorchRuntime.require().longLived()) {
            for (int layer = 0; layer < config.layers(); layer++) {
                blocks.add(block(layer, changes.extension(), options));
            }
            // a change may part a head from the words that it is tied to
            Tensor words =
                    weights.get(weights.containsKey("lm_head.weight") ? "lm_head.weight" : "wte.weight"); // [V, E]
            this.head = Head.of(words, operators, options.precision(), kernels, options.copies());
            if (options.copies()) {
                Safetensors.evict(words);
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
     * @param targetWords rows of the head, [M, E]
     */
    private record Input(
            Tensor x,
            long[] offsets,
            Packing.Queries queries,
            Optional<long[]> promptFrom,
            VirtualRows virtual,
            Tensor asked,
            Tensor targets,
            Tensor targetWords) {}

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
        if (extended) {
            throw new IllegalStateException("no gradient goes through an extension");
        }
        try (TensorScope scope = new TensorScope();
                NoGradGuard _ = new NoGradGuard()) {
            SoftPrompt own = prompt.withoutGraph();
            Tensor gradient = torch.zeros_like(own.activations()); // [P, 2·L·E]
            Tensor dEmbeddings = torch.zeros_like(own.embeddings()); // [K, E]
            Input input = input(batch, own);
            List<Saved> saved = new ArrayList<>();
            List<Tensor> entered = new ArrayList<>();
            Tensor x = input.x();
            for (int layer = 0; layer < blocks.size(); layer++) {
                entered.add(x);
                try (TensorScope inner = new TensorScope()) {
                    Result result = forward(layer, x, input, entries(own, gradient, layer));
                    x = inner.keep(result.y());
                    if (!recompute) {
                        result.saved().keep(inner);
                        saved.add(result.saved());
                    }
                }
            }
            double[] loss = new double[1];
            Tensor dx = lossAndBack(x, input, objective, weight, loss); // [M, E], then [N, E]
            for (int layer = blocks.size() - 1; layer >= 0; layer--) {
                try (TensorScope inner = new TensorScope()) {
                    PrefixLayer entries = entries(own, gradient, layer);
                    Saved kept = recompute
                            ? forward(layer, entered.get(layer), input, entries).saved()
                            : saved.get(layer);
                    boolean through = layer > 0 || input.virtual().any();
                    dx = blocks.get(layer)
                            .backward(dx, kept, packing(input, layer), asked(input, layer), entries, through);
                    if (dx != null) {
                        inner.keep(dx);
                    }
                }
            }
            if (input.virtual().any()) {
                dEmbeddings.index_add_(
                        0,
                        input.virtual().tokens(),
                        torch.index_select(dx, 0, input.virtual().rows()));
            }
            return new Gradient(loss[0], scope.keep(gradient), scope.keep(dEmbeddings));
        }
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
            Tensor x = hidden(input, own);
            return sum(head.loss(normalize(x).rows(), input.targets()).losses());
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
            Rows rows = normalize(hidden(input(batch, own), own)).rows(); // [M, E]
            return new Predictions(head, rows.keep(scope));
        }
    }

    /** After the last block, at the target positions, [M, E]. */
    private Tensor hidden(Input input, SoftPrompt prompt) {
        Tensor x = input.x();
        for (int layer = 0; layer < blocks.size(); layer++) {
            try (TensorScope inner = new TensorScope()) {
                x = inner.keep(
                        forward(layer, x, input, entries(prompt, null, layer)).y());
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

    Operators operators() {
        return operators;
    }

    /** As {@link Gpt2#requireRoom}. */
    public void requireRoom(int past, int tokens, int toGenerate) {
        model.requireRoom(past, tokens, toGenerate);
    }

    /** What {@link Decoder#prefill} does; the keys and values of the prompts go to the store. */
    Tensor prefill(List<int[]> prompts, Paths paths, SoftPrompt prompt, List<Tensor> store) {
        int[] ids = prompts.stream().flatMapToInt(Arrays::stream).toArray();
        long[] last = new long[prompts.size()];
        for (int i = 0; i < last.length; i++) {
            last[i] = paths.promptOffsets()[i + 1] - 1;
        }
        PackedBatch batch = new PackedBatch(
                Arrays.stream(ids).asLongStream().toArray(), paths.promptOffsets(), last, new long[last.length]);
        Input input = input(batch, prompt);
        Tensor x = input.x();
        for (int layer = 0; layer < blocks.size(); layer++) {
            try (TensorScope inner = new TensorScope()) {
                Result result = forward(layer, x, input, entries(prompt, null, layer));
                store.get(layer)
                        .narrow(0, paths.prefix(), ids.length)
                        .copy_(result.saved().kv());
                x = inner.keep(result.y());
            }
        }
        return head.logits(normalize(x).rows());
    }

    /** What {@link Decoder#next} does. */
    Tensor next(long[] tokens, long[] positions, Paths paths, int generations, SoftPrompt prompt, List<Tensor> store) {
        Tensor x = words(tokens).add_(positions(positions)); // [R, E]
        for (int layer = 0; layer < blocks.size(); layer++) {
            try (TensorScope inner = new TensorScope()) {
                x = inner.keep(blocks.get(layer)
                        .step(
                                x,
                                paths,
                                generations,
                                prompt.inLayer(layer),
                                store.get(layer),
                                config.attentionScale(layer)));
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

    /** With 8 bits only a few rows of the float32 table are read; the system maps much more around each. */
    private void evictEmbedding() {
        if (head instanceof Head.Int8) {
            Safetensors.evict(weights.get("wte.weight"));
            Safetensors.evict(head.weight());
        }
    }

    private Input input(PackedBatch batch, SoftPrompt prompt) {
        int past = prompt.length();
        model.requireRoom(past, batch.longest(), 0);
        long[] offsets = batch.offsets();
        long[] positions = new long[batch.tokens()];
        int[] asked = new int[batch.positions().length];
        long[] queryOffsets = new long[offsets.length];
        long[] from = new long[batch.sequences()]; // first position behind the activations
        int query = 0;
        for (int b = 0; b < batch.sequences(); b++) {
            from[b] = switch (prompt.place()) {
                case PREFIX -> 0;
                case INFIX -> batch.positions()[query] - offsets[b];
            };
            for (long i = offsets[b]; i < offsets[b + 1]; i++) {
                positions[(int) i] = i - offsets[b] + (i - offsets[b] >= from[b] ? past : 0);
            }
            while (query < asked.length && batch.positions()[query] < offsets[b + 1]) {
                asked[query] = (int) (batch.positions()[query] - offsets[b]);
                query++;
            }
            queryOffsets[b + 1] = query;
        }
        Tensor x = words(Arrays.stream(batch.ids()).map(id -> Math.max(0, id)).toArray()); // [N, E]
        VirtualRows virtual = virtualRows(batch.ids(), prompt);
        if (virtual.any()) {
            x.index_copy_(0, virtual.rows(), torch.index_select(prompt.embeddings(), 0, virtual.tokens()));
        }
        x.add_(positions(positions));
        Tensor targets = model.ids(batch.targets()); // [M]
        Tensor targetWords = torch.embedding(head.weight(), targets); // [M, E]
        evictEmbedding();
        return new Input(
                x,
                offsets,
                new Packing.Queries(queryOffsets, asked),
                prompt.place() == SoftPrompt.Place.INFIX ? Optional.of(from) : Optional.empty(),
                virtual,
                model.ids(batch.positions()),
                targets,
                targetWords);
    }

    private VirtualRows virtualRows(long[] ids, SoftPrompt prompt) {
        long[] rows = IntStream.range(0, ids.length)
                .filter(i -> ids[i] < 0)
                .asLongStream()
                .toArray();
        long[] tokens =
                Arrays.stream(ids).filter(id -> id < 0).map(id -> -id - 1).toArray();
        for (long token : tokens) {
            if (token >= prompt.embeddings().size(0)) {
                throw new IllegalArgumentException("virtual token %d: expected less than %d"
                        .formatted(token, prompt.embeddings().size(0)));
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
                input.offsets(),
                layer == config.layers() - 1 ? Optional.of(input.queries()) : Optional.empty(),
                input.promptFrom());
    }

    /** The part of the activations [P, 2·L·E] that a layer sees. */
    private PrefixLayer entries(SoftPrompt prompt, Tensor gradient, int layer) {
        long width = config.width();
        long keys = 2L * layer * width;
        long count = prompt.inLayer(layer) ? prompt.length() : 0;
        return new PrefixLayer(
                part(prompt.activations(), count, keys),
                part(prompt.activations(), count, keys + width),
                gradient == null ? null : part(gradient, count, keys),
                gradient == null ? null : part(gradient, count, keys + width));
    }

    private Tensor part(Tensor vectors, long count, long from) {
        return vectors.narrow(0, 0, count).narrow(1, from, config.width());
    }

    private Normalized normalize(Tensor x) {
        return operators.normalize(x, weights.get("ln_f.weight"), weights.get("ln_f.bias"), config.layerNormEpsilon());
    }

    /**
     * The loss and its gradient, from the normalization after the last block on.
     *
     * @param x [M, E], after the last block
     * @param loss takes the sum
     * @return [M, E]
     */
    private Tensor lossAndBack(Tensor x, Input input, Objective objective, double weight, double[] loss) {
        Tensor dx = torch.zeros_like(x);
        try (TensorScope _ = new TensorScope()) {
            Normalized normalized = normalize(x);
            Head.Loss result = objective
                    .teacher()
                    .map(teacher -> head.divergence(normalized.rows(), teacher.head, teacher.hidden))
                    .orElseGet(() ->
                            head.loss(normalized.rows(), input.targets(), input.targetWords(), objective.smoothing()));
            loss[0] = sum(result.losses());
            Tensor dy = result.gradient().mul_(new Scalar(weight)); // [M, E]
            operators.normalizeBackward(dy, x, weights.get("ln_f.weight"), normalized, dx);
        }
        return dx;
    }

    private Result forward(int layer, Tensor x, Input input, PrefixLayer prefix) {
        return blocks.get(layer).forward(x, packing(input, layer), asked(input, layer), prefix);
    }

    private static double sum(Tensor losses) {
        return torch.sum(losses).item_double();
    }
}
