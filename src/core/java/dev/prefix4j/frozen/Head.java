package dev.prefix4j.frozen;

import dev.prefix4j.kernels.Kernels;
import dev.prefix4j.kernels.ProductKernels;
import dev.prefix4j.torch.Safetensors;
import dev.prefix4j.torch.TensorScope;
import dev.prefix4j.torch.TorchRuntime;
import java.util.ArrayList;
import java.util.List;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.ScalarTypeOptional;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.jspecify.annotations.Nullable;

/**
 * The output head: logits of hidden states, and their cross-entropy with its gradient, one block of words at a time, so that
 * the logits of a batch are never all in memory.
 *
 * <p>n rows, E width, V vocabulary, C words in a block.
 */
sealed interface Head {
    /**
     * Words that are processed together: their weights and logits stay in the processor's caches. In 8 bits they also share
     * scales in the backward pass.
     */
    long BLOCK = 1024;

    /** Logits [n, V] of hidden states [n, E]. */
    Tensor logits(Rows hidden);

    /** Logits [n, C] of the words from {@code first} on. */
    Tensor logits(Rows hidden, long first, long count);

    /** {@code sum + z W}, [n, E], for z [n, C] and the weights W [C, E] of the words from {@code first} on. */
    Tensor addMean(Tensor z, long first, Tensor sum);

    /** [V, E], float32 or in the checkpoint's type. */
    Tensor weight();

    /** Rows of the {@link #weight} for words int64 [n]: float32 [n, E]. */
    default Tensor rows(Tensor words) {
        return torch.embedding(weight(), words).to(torch.ScalarType.Float);
    }

    Operators operators();

    /** The form in which it takes hidden states. */
    Precision form();

    /**
     * What is to be predicted.
     *
     * @param ids int64 [n]
     * @param words the rows of {@link #weight} for these ids, [n, E]
     */
    record Targets(Tensor ids, Tensor words) {}

    /**
     * Cross-entropy losses and their gradient.
     *
     * @param losses in nats, float64 [n]
     * @param gradient of their sum with respect to the hidden states, [n, E]; null if not requested
     */
    record Loss(Tensor losses, @Nullable Tensor gradient) {}

    /** The cross-entropy of hidden states [n, E] with targets, int64 [n]; without its gradient. */
    default Loss loss(Rows hidden, Tensor targets) {
        return loss(hidden, targets, null, null);
    }

    /**
     * The cross-entropy of hidden states [n, E]: an online softmax over blocks of words.
     *
     * @param targets int64 [n]
     * @param words the targets' rows of {@link #weight}, [n, E], overwritten; null: no gradient. The caller fetches them
     *     before there are activations, because the system maps much more of a weight file around each row
     * @param smoothing share of each target's probability that is spread evenly over all words, float32 [n]; null: none
     */
    default Loss loss(Rows hidden, Tensor targets, @Nullable Tensor words, @Nullable Tensor smoothing) {
        OnlineSoftmax softmax = OnlineSoftmax.of(targets);
        Tensor mean = words == null ? null : zeros(hidden); // [n, E]
        Tensor all = torch.zeros_like(softmax.sum()); // [n], of the logits; only for smoothing
        long vocabulary = weight().size(0);
        for (long first = 0; first < vocabulary; first += BLOCK) {
            try (TensorScope inner = new TensorScope()) {
                Tensor z = logits(hidden, first, Math.min(BLOCK, vocabulary - first)); // [n, C]
                if (smoothing != null) {
                    all.add_(torch.sum(z, new long[] {1}, false, new ScalarTypeOptional(torch.ScalarType.Double)));
                }
                operators().softmaxBlock(z, first, softmax, mean); // z is exp(z - top) now
                if (mean != null) {
                    mean = inner.keep(addMean(z, first, mean)); // [n, E]
                }
            }
        }
        Tensor losses = softmax.losses(); // [n]
        if (smoothing != null) { // lse - (1 - s) z_target - s mean(z)
            losses.add_(softmax.ofTarget()
                    .sub(all.div(new Scalar((double) vocabulary)))
                    .mul_(smoothing));
        }
        if (words != null && mean != null) {
            mean.div_(softmax.sum().unsqueeze(1));
            if (smoothing == null) {
                mean.sub_(words);
            } else {
                Tensor share = smoothing.unsqueeze(1); // [n, 1]
                mean.sub_(words.sub_(words.mul(share)));
                mean.sub_(
                        torch.mean(weight().to(torch.ScalarType.Float), new long[] {0}, false, new ScalarTypeOptional())
                                .mul(share));
            }
        }
        return new Loss(losses, mean);
    }

    /**
     * KL(teacher ‖ this) at hidden states [n, E], with its gradient: two online softmaxes in parallel.
     *
     * @param teachers hidden states of the teacher, [n, its E]
     */
    default Loss divergence(Rows hidden, Head teacher, Rows teachers) {
        Tensor nowhere = torch.zeros(
                new long[] {hidden.count()}, weight().options().dtype(new ScalarTypeOptional(torch.ScalarType.Long)));
        OnlineSoftmax own = OnlineSoftmax.of(nowhere);
        OnlineSoftmax given = OnlineSoftmax.of(nowhere);
        Tensor mean = zeros(hidden); // [n, E]
        Tensor wanted = zeros(hidden); // sum of words, weighted by exp(logit - top) of the teacher
        Tensor apart = torch.zeros_like(given.sum()); // [n], of the logits' differences, with the same weights
        long words = weight().size(0);
        for (long first = 0; first < words; first += BLOCK) {
            try (TensorScope inner = new TensorScope()) {
                long count = Math.min(BLOCK, words - first);
                Tensor z = logits(hidden, first, count); // [n, C]
                Tensor t = teacher.logits(teachers, first, count); // [n, C]
                Tensor difference = t.sub(z); // [n, C]
                Tensor before = given.top().clone(); // [n]
                operators().softmaxBlock(z, first, own, mean);
                operators().softmaxBlock(t, first, given, wanted);
                apart.mul_(before.sub_(given.top()).exp_())
                        .add_(torch.sum(
                                t.mul(difference),
                                new long[] {1},
                                false,
                                new ScalarTypeOptional(torch.ScalarType.Double)));
                mean = inner.keep(addMean(z, first, mean));
                wanted = inner.keep(addMean(t, first, wanted));
            }
        }
        // sum p (t - z) - lse(t) + lse(z)
        Tensor losses = apart.div_(given.sum())
                .sub_(given.sum().log().add_(given.top()))
                .add_(own.sum().log().add_(own.top())); // [n]
        mean.div_(own.sum().unsqueeze(1)).sub_(wanted.div_(given.sum().unsqueeze(1)));
        return new Loss(losses, mean);
    }

    /** [n, E]. */
    private Tensor zeros(Rows hidden) {
        return torch.zeros(
                new long[] {hidden.count(), weight().size(1)},
                weight().options().dtype(new ScalarTypeOptional(torch.ScalarType.Float)));
    }

    /** @param weight [V, E] of the model, which stays open */
    static Head of(Tensor weight, Operators operators, WeightForm form) {
        return switch (form.precision()) {
            case FP32 -> {
                Tensor floats = weight.to(torch.ScalarType.Float);
                Kernels kernels = form.kernels();
                yield new Float32(
                        floats,
                        operators,
                        kernels,
                        form.strips() && kernels != null ? kernels.products().pack(floats.t()) : null);
            }
            case INT8 -> new Int8(weight, operators, form.kernels());
        };
    }

    /**
     * With the model's own weights.
     *
     * @param strips a copy of the weights for decoding; null: none
     */
    record Float32(
            Tensor weight, Operators operators, @Nullable Kernels kernels, ProductKernels.@Nullable Packed strips)
            implements Head {
        @Override
        public Precision form() {
            return Precision.FP32;
        }

        @Override
        public Tensor logits(Rows hidden) {
            return logits(hidden, 0, weight.size(0));
        }

        @Override
        public Tensor logits(Rows hidden, long first, long count) {
            Rows.Float32 rows = (Rows.Float32) hidden;
            if (strips != null && kernels != null) {
                return Linear.Strips.multiply(rows, strips, first, count, null, null, kernels.products());
            }
            return Linear.Float32.multiply(rows, weight.narrow(0, first, count).t(), null, null, kernels);
        }

        @Override
        public Tensor addMean(Tensor z, long first, Tensor sum) {
            return Linear.Float32.multiply(new Rows.Float32(z), weight.narrow(0, first, z.size(1)), null, sum, kernels);
        }
    }

    /**
     * In 8 bits; in the backward pass, in twice 8. A few probabilities are large and thousands are tiny. Rounded with a
     * single scale, the tiny ones all become zero, which makes the gradient not only inexact but biased.
     */
    final class Int8 implements Head {
        private final Tensor weight;
        private final Operators operators;
        private final @Nullable Kernels kernels;
        private final Int8Linear.OneWay toLogits;
        private final TensorScope.Owner owner = TensorScope.owner();
        private @Nullable List<Int8Linear.OneWay> blocks; // of words, [C, E] each; null: not needed yet

        Int8(Tensor weight, Operators operators, @Nullable Kernels kernels) {
            this.weight = weight;
            this.operators = operators;
            this.kernels = kernels;
            this.toLogits = Int8Linear.OneWay.of(weight.t(), kernels);
        }

        @Override
        public Precision form() {
            return Precision.INT8;
        }

        @Override
        public Tensor weight() {
            return weight;
        }

        @Override
        public Operators operators() {
            return operators;
        }

        @Override
        public Tensor logits(Rows hidden) {
            return toLogits.multiply((Rows.Int8) hidden, null, null);
        }

        @Override
        public Tensor logits(Rows hidden, long first, long count) {
            return toLogits.multiply((Rows.Int8) hidden, first, count);
        }

        private synchronized Int8Linear.OneWay block(int number) {
            List<Int8Linear.OneWay> all = blocks;
            if (all == null) {
                all = new ArrayList<>();
                try (TensorScope scope = new TensorScope();
                        TorchRuntime.LongLived _ = TorchRuntime.require().longLived()) {
                    for (long first = 0; first < weight.size(0); first += BLOCK) {
                        long count = Math.min(BLOCK, weight.size(0) - first);
                        all.add(Int8Linear.OneWay.of(weight.narrow(0, first, count), kernels));
                    }
                    all.forEach(one -> one.tensors().forEach(tensor -> scope.give(tensor, owner)));
                }
                blocks = all;
                Safetensors.evict(weight);
            }
            return all.get(number);
        }

        @Override
        public Tensor addMean(Tensor z, long first, Tensor sum) {
            Int8Linear.OneWay block = block((int) (first / BLOCK));
            Operators.Split split = operators.split(z);
            return block.multiply(split.fine(), null, block.multiply(split.coarse(), null, sum));
        }
    }
}
