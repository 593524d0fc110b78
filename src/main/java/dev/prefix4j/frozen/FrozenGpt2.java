package dev.prefix4j.frozen;

import dev.prefix4j.frozen.FrozenBlock.PrefixLayer;
import dev.prefix4j.frozen.FrozenBlock.Result;
import dev.prefix4j.frozen.FrozenBlock.Saved;
import dev.prefix4j.frozen.Operators.Normalized;
import dev.prefix4j.gpt2.Gpt2;
import dev.prefix4j.gpt2.Gpt2Config;
import dev.prefix4j.text.PackedBatch;
import dev.prefix4j.torch.Kernels;
import dev.prefix4j.torch.Safetensors;
import dev.prefix4j.torch.TensorScope;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
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
    private final Gpt2Config config;
    private final Operators operators;
    private final List<FrozenBlock> blocks = new ArrayList<>();
    private final Head head;
    private final boolean recompute;

    /**
     * How to compute.
     *
     * @param recompute keep only what comes into each block and compute the rest again on the way back: less memory, a
     *     forward pass more
     * @param decoding whether few rows at a time are to be fast, as in decoding: for our kernels float32 weights are then
     *     copied, so that those of an output lie side by side; otherwise they stay where the model has them, in its file
     * @param kernels absent: in operators of libtorch
     */
    public record Options(Precision precision, boolean recompute, boolean decoding, Optional<Kernels> kernels) {
        /** For training; with the kernels that this machine has, if the model is on its CPU. */
        public static Options of(Gpt2 model, Precision precision) {
            return new Options(
                    precision, false, false, model.device().is_cpu() ? Kernels.find() : Optional.empty());
        }

        /** Whether the matrices of the blocks are in a form of our own. */
        private boolean copies() {
            return switch (precision) {
                case FP32 -> decoding && kernels.filter(Kernels::multipliesFloats).isPresent();
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
        this.model = model;
        this.config = model.config();
        this.recompute = options.recompute();
        Kernels kernels = options.kernels().orElse(null);
        this.operators = kernels == null
                ? new AtenOperators(options.precision())
                : new NativeOperators(kernels, options.precision());
        try (NoGradGuard _ = new NoGradGuard()) {
            for (int layer = 0; layer < config.layers(); layer++) {
                blocks.add(block(model.weights(), layer, options));
            }
            this.head = Head.of(model.head(), operators, options.precision(), kernels);
            if (options.precision() == Precision.INT8) {
                Safetensors.evict(model.head());
            }
        }
    }

    private FrozenBlock block(Map<String, Tensor> weights, int layer, Options options) {
        String name = "h." + layer + '.';
        boolean last = layer == config.layers() - 1;
        long width = config.width();
        Tensor attention = weights.get(name + "attn.c_attn.weight"); // [E, 3E]
        Tensor bias = weights.get(name + "attn.c_attn.bias");
        FrozenBlock block = new FrozenBlock(
                config,
                operators,
                weights.get(name + "ln_1.weight"),
                weights.get(name + "ln_1.bias"),
                last ? null : linear(attention, bias, options),
                last ? linear(attention.narrow(1, 0, width), bias.narrow(0, 0, width), options) : null,
                last ? linear(attention.narrow(1, width, 2 * width), bias.narrow(0, width, 2 * width), options) : null,
                linear(weights, name + "attn.c_proj", options),
                weights.get(name + "ln_2.weight"),
                weights.get(name + "ln_2.bias"),
                linear(weights, name + "mlp.c_fc", options),
                linear(weights, name + "mlp.c_proj", options));
        if (options.copies()) {
            for (String matrix : List.of("attn.c_attn", "attn.c_proj", "mlp.c_fc", "mlp.c_proj")) {
                Safetensors.evict(weights.get(name + matrix + ".weight"));
            }
        }
        return block;
    }

    private static Linear linear(Map<String, Tensor> weights, String name, Options options) {
        return linear(weights.get(name + ".weight"), weights.get(name + ".bias"), options);
    }

    private static Linear linear(Tensor weight, Tensor bias, Options options) {
        Kernels kernels = options.kernels().orElse(null);
        return switch (options.precision()) {
            case FP32 -> new Linear.Float32(
                    options.copies() ? weight.t().contiguous().t() : weight, bias, kernels);
            case INT8 -> Int8Linear.of(weight, bias, kernels);
        };
    }

    /**
     * A loss and where it comes from.
     *
     * @param loss sum over the targets, in nats
     * @param gradient of {@code weight · loss} with respect to the prefix, [P, 2·L·E]
     */
    public record Gradient(double loss, Tensor gradient) {}

    /** The batch on the device, and what every block needs of it. */
    private record Input(Tensor x, long[] offsets, Packing.Queries queries, Tensor asked, Tensor targets) {}

    /**
     * The loss of a batch and its gradient.
     *
     * @param vectors [P, 2·L·E] as {@code PrefixShape} lays a prefix out, float32; P may be 0
     * @param weight of each target's loss in the gradient, such as 1/M for a mean
     * @return with a tensor that belongs to the open scope, or to the caller
     */
    public Gradient gradient(PackedBatch batch, Tensor vectors, double weight) {
        try (TensorScope scope = new TensorScope();
                NoGradGuard _ = new NoGradGuard()) {
            Tensor prefix = vectors.detach().contiguous();
            Tensor gradient = torch.zeros_like(prefix);
            Input input = input(batch, prefix.size(0));
            List<Saved> saved = new ArrayList<>();
            List<Tensor> entered = new ArrayList<>();
            Tensor x = input.x();
            for (int layer = 0; layer < blocks.size(); layer++) {
                entered.add(x);
                try (TensorScope inner = new TensorScope()) {
                    Result result = forward(layer, x, input, entries(prefix, gradient, layer));
                    x = inner.keep(result.y());
                    if (!recompute) {
                        result.saved().keep(inner);
                        saved.add(result.saved());
                    }
                }
            }
            double[] loss = new double[1];
            Tensor dx = lossAndBack(x, input.targets(), weight, loss);
            for (int layer = blocks.size() - 1; layer >= 0; layer--) {
                try (TensorScope inner = new TensorScope()) {
                    PrefixLayer entries = entries(prefix, gradient, layer);
                    Saved kept = recompute
                            ? forward(layer, entered.get(layer), input, entries).saved()
                            : saved.get(layer);
                    dx = blocks.get(layer)
                            .backward(dx, kept, packing(input, layer), asked(input, layer), entries, layer > 0);
                    if (dx != null) {
                        inner.keep(dx);
                    }
                }
            }
            return new Gradient(loss[0], scope.keep(gradient));
        }
    }

    /**
     * The loss of a batch.
     *
     * @param vectors as in {@link #gradient}
     * @return sum over the targets, in nats
     */
    public double loss(PackedBatch batch, Tensor vectors) {
        try (TensorScope _ = new TensorScope();
                NoGradGuard _ = new NoGradGuard()) {
            Tensor prefix = vectors.detach().contiguous();
            Input input = input(batch, prefix.size(0));
            Tensor x = input.x();
            for (int layer = 0; layer < blocks.size(); layer++) {
                try (TensorScope inner = new TensorScope()) {
                    x = inner.keep(forward(layer, x, input, entries(prefix, null, layer)).y());
                }
            }
            return sum(head.loss(normalize(x).rows(), input.targets(), false).losses());
        }
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
    Tensor prefill(List<int[]> prompts, Paths paths, List<Tensor> store) {
        int[] ids = prompts.stream().flatMapToInt(Arrays::stream).toArray();
        long[] last = new long[prompts.size()];
        for (int i = 0; i < last.length; i++) {
            last[i] = paths.promptOffsets()[i + 1] - 1;
        }
        PackedBatch batch = new PackedBatch(
                Arrays.stream(ids).asLongStream().toArray(), paths.promptOffsets(), last, new long[last.length]);
        Input input = input(batch, paths.prefix());
        Tensor x = input.x();
        long width = config.width();
        for (int layer = 0; layer < blocks.size(); layer++) {
            try (TensorScope inner = new TensorScope()) {
                Tensor prefix = store.get(layer).narrow(0, 0, paths.prefix());
                PrefixLayer entries =
                        new PrefixLayer(prefix.narrow(1, 0, width), prefix.narrow(1, width, width), null, null);
                Result result = forward(layer, x, input, entries);
                store.get(layer).narrow(0, paths.prefix(), ids.length).copy_(result.saved().kv());
                x = inner.keep(result.y());
            }
        }
        return head.logits(normalize(x).rows());
    }

    /** What {@link Decoder#next} does. */
    Tensor next(long[] tokens, long[] positions, Paths paths, int generations, List<Tensor> store) {
        Tensor x = embed(tokens, positions); // [R, E]
        for (int layer = 0; layer < blocks.size(); layer++) {
            try (TensorScope inner = new TensorScope()) {
                x = inner.keep(blocks.get(layer)
                        .step(x, paths, generations, store.get(layer), config.attentionScale(layer)));
            }
        }
        return head.logits(normalize(x).rows());
    }

    /** [N, E]. */
    private Tensor embed(long[] tokens, long[] positions) {
        Map<String, Tensor> weights = model.weights();
        return torch.embedding(weights.get("wte.weight"), model.ids(tokens))
                .add_(torch.embedding(weights.get("wpe.weight"), model.ids(positions)));
    }

    /** With 8 bits only a few rows of the float32 table are read; the system maps much more around each. */
    private void evictEmbedding() {
        if (head instanceof Head.Int8) {
            Safetensors.evict(model.weights().get("wte.weight"));
        }
    }

    private Input input(PackedBatch batch, long past) {
        model.requireRoom((int) past, batch.longest(), 0);
        long[] offsets = batch.offsets();
        long[] positions = new long[batch.tokens()];
        int[] asked = new int[batch.positions().length];
        long[] queryOffsets = new long[offsets.length];
        int query = 0;
        for (int b = 0; b < batch.sequences(); b++) {
            for (long i = offsets[b]; i < offsets[b + 1]; i++) {
                positions[(int) i] = past + i - offsets[b];
            }
            while (query < asked.length && batch.positions()[query] < offsets[b + 1]) {
                asked[query] = (int) (batch.positions()[query] - offsets[b]);
                query++;
            }
            queryOffsets[b + 1] = query;
        }
        Tensor x = embed(batch.ids(), positions);
        evictEmbedding();
        return new Input(
                x,
                offsets,
                new Packing.Queries(queryOffsets, asked),
                model.ids(batch.positions()),
                model.ids(batch.targets()));
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
                layer == config.layers() - 1 ? Optional.of(input.queries()) : Optional.empty());
    }

    /** The part of the prefix [P, 2·L·E] that a layer sees. */
    private PrefixLayer entries(Tensor prefix, Tensor gradient, int layer) {
        long width = config.width();
        long keys = 2L * layer * width;
        return new PrefixLayer(
                prefix.narrow(1, keys, width),
                prefix.narrow(1, keys + width, width),
                gradient == null ? null : gradient.narrow(1, keys, width),
                gradient == null ? null : gradient.narrow(1, keys + width, width));
    }

    private Normalized normalize(Tensor x) {
        Map<String, Tensor> weights = model.weights();
        return operators.normalize(
                x, weights.get("ln_f.weight"), weights.get("ln_f.bias"), config.layerNormEpsilon());
    }

    /**
     * The loss and its gradient, from the normalization after the last block on.
     *
     * @param x [M, E], after the last block
     * @param loss takes the sum
     * @return [M, E]
     */
    private Tensor lossAndBack(Tensor x, Tensor targets, double weight, double[] loss) {
        Tensor dx = torch.zeros_like(x);
        try (TensorScope _ = new TensorScope()) {
            Normalized normalized = normalize(x);
            Head.Loss result = head.loss(normalized.rows(), targets, true);
            evictEmbedding();
            loss[0] = sum(result.losses());
            Tensor dy = result.gradient().mul_(new Scalar(weight)); // [M, E]
            operators.normalizeBackward(dy, x, model.weights().get("ln_f.weight"), normalized, dx);
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
