package dev.prefix4j.frozen;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.prefix4j.kernels.Kernels;
import dev.prefix4j.model.Activation;
import dev.prefix4j.model.BaseModel;
import dev.prefix4j.model.KvCache;
import dev.prefix4j.model.LmLoss;
import dev.prefix4j.model.ModelConfig;
import dev.prefix4j.model.ModelConfig.Tokens;
import dev.prefix4j.model.Readable;
import dev.prefix4j.model.Rotary;
import dev.prefix4j.model.Shapes;
import dev.prefix4j.model.gpt2.Gpt2Family;
import dev.prefix4j.model.llama.LlamaFamily;
import dev.prefix4j.prefix.PrefixShape;
import dev.prefix4j.text.PackedBatch;
import dev.prefix4j.text.Sequence;
import dev.prefix4j.text.TokenBatch;
import dev.prefix4j.torch.NativeMemory;
import dev.prefix4j.torch.TensorScope;
import dev.prefix4j.torch.TorchRuntime;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.stream.Stream;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** The explicit rules against autograd through the readable module of the family. */
class FrozenModelTest {
    /** Geometries with every activation and with what configurations may change. */
    enum Model {
        USUAL(Gpt2Family.config(
                3, 4, 64, 96, 331, 256, Activation.GELU_TANH, 1e-5, true, false, true, Tokens.of(0, 0))),
        ONE_BLOCK(Gpt2Family.config(1, 2, 32, 96, 97, 64, Activation.GELU, 1e-5, true, false, true, Tokens.of(0, 0))),
        ODD(Gpt2Family.config(2, 3, 30, 96, 131, 50, Activation.RELU, 1e-4, true, true, false, Tokens.of(0, 0))),
        SILU(Gpt2Family.config(2, 2, 32, 96, 97, 64, Activation.SILU, 1e-5, true, false, true, Tokens.of(0, 0))),
        TANH(Gpt2Family.config(2, 2, 32, 96, 97, 64, Activation.TANH, 1e-5, true, false, true, Tokens.of(0, 0))),
        QUICK_GELU(Gpt2Family.config(
                2, 2, 32, 96, 97, 64, Activation.QUICK_GELU, 1e-5, true, false, true, Tokens.of(0, 0))),
        LLAMA(llama(
                3,
                new ModelConfig.Attention(
                        4, 2, 16, true, false, false, false, false, Optional.of(Rotary.of(16, 10_000))),
                true)),
        QWEN2(llama(
                2,
                new ModelConfig.Attention(
                        4,
                        1,
                        12,
                        true,
                        false,
                        false,
                        true,
                        false,
                        Optional.of(Rotary.of(12, 500_000).linear(4))),
                false)),
        QWEN3(llama(
                2,
                new ModelConfig.Attention(6, 3, 20, true, false, true, true, true, Optional.of(Rotary.of(20, 1000))),
                true));

        final ModelConfig config;

        Model(ModelConfig config) {
            this.config = config;
        }
    }

    private static ModelConfig llama(int layers, ModelConfig.Attention attention, boolean tied) {
        return new ModelConfig(
                LlamaFamily.LLAMA,
                layers,
                64,
                96,
                331,
                attention,
                new ModelConfig.Mlp(112, Activation.SILU, true, attention.outputBias()),
                new ModelConfig.Norm(ModelConfig.Norm.Kind.RMS, 1e-5),
                tied,
                Tokens.of(0, 0));
    }

    private record Case(Model model, int prefix, Precision precision, boolean recompute, boolean kernels) {}

    @BeforeAll
    static void start() {
        TorchRuntime.require();
    }

    static Stream<Case> cases() {
        List<Case> cases = new ArrayList<>();
        for (Model model : Model.values()) {
            for (int prefix : new int[] {0, 1, 7}) {
                for (boolean kernels :
                        Kernels.find().isPresent() ? new boolean[] {false, true} : new boolean[] {false}) {
                    cases.add(new Case(model, prefix, Precision.FP32, prefix == 1, kernels));
                }
            }
        }
        return cases.stream();
    }

    static BaseModel model(ModelConfig config) {
        TorchRuntime.seed(5);
        BaseModel model = config.family() == Gpt2Family.GPT2
                ? Gpt2Family.initialize(config, TorchRuntime.device("cpu"))
                : quiet(config);
        // Far from the first weights, where half of a model does nothing.
        model.weights()
                .forEach((name, weight) -> weight.requires_grad_(false)
                        .add_(torch.randn_like(weight)
                                .mul_(new Scalar(name.contains("ln_") || name.contains("norm") ? 0.1 : 0.15))));
        return model;
    }

    /** Norms of 1, and zeros. */
    private static BaseModel quiet(ModelConfig config) {
        Map<String, Tensor> weights = new LinkedHashMap<>();
        Shapes.of(config).forEach((name, shape) -> {
            long[] sizes = shape.stream().mapToLong(Long::longValue).toArray();
            boolean norm = name.endsWith("norm.weight");
            weights.put(name, norm ? torch.ones(sizes) : torch.zeros(sizes));
        });
        return new BaseModel(config, TorchRuntime.device("cpu"), weights);
    }

    /** Sequences of unequal length, some with a long target, one with a single token of it. */
    static List<Sequence> sequences(ModelConfig config, int seed) {
        Random random = new Random(seed);
        List<Sequence> sequences = new ArrayList<>();
        for (int[] lengths : new int[][] {{5, 9}, {1, 1}, {12, 30}, {20, 1}, {3, 17}}) {
            int[] ids =
                    random.ints(lengths[0] + lengths[1], 0, config.vocabulary()).toArray();
            sequences.add(new Sequence(ids, lengths[0]));
        }
        return sequences;
    }

    static Tensor vectors(ModelConfig config, int length) {
        return torch.randn(new long[] {length, 2L * config.layers() * config.keyColumns()})
                .mul_(new Scalar(0.7));
    }

    private record Expected(double loss, Tensor gradient) {}

    private static Expected autograd(BaseModel model, List<Sequence> sequences, Tensor vectors, int prefix) {
        TokenBatch batch = TokenBatch.of(sequences, 0);
        Tensor leaf = vectors.clone().requires_grad_(true);
        KvCache cache = prefix == 0
                ? KvCache.empty(model.config().layers())
                : KvCache.startingWith(PrefixShape.of(prefix, model.config()).split(leaf));
        Tensor hidden = Readable.hidden(model, model.ids(batch.ids(), batch.rows()), cache);
        Tensor loss = LmLoss.sum(model.head(), hidden, model.ids(batch.positions()), model.ids(batch.targets()));
        if (prefix == 0) {
            return new Expected(loss.item_double(), torch.zeros_like(vectors));
        }
        loss.backward();
        return new Expected(loss.item_double(), leaf.grad());
    }

    static double cosine(Tensor a, Tensor b) {
        return torch.sum(a.mul(b)).item_double() / (norm(a) * norm(b));
    }

    static double norm(Tensor a) {
        return Math.sqrt(torch.sum(a.mul(a)).item_double());
    }

    @ParameterizedTest
    @MethodSource("cases")
    void lossAndGradientAreThoseOfAutograd(Case c) {
        try (TensorScope _ = new TensorScope()) {
            BaseModel model = model(c.model().config);
            List<Sequence> sequences = sequences(model.config(), 3);
            Tensor vectors = vectors(model.config(), c.prefix());
            Expected expected = autograd(model, sequences, vectors, c.prefix());
            FrozenModel frozen = new FrozenModel(model, options(c));
            PackedBatch batch = PackedBatch.of(sequences);
            FrozenModel.Gradient result = frozen.gradient(batch, vectors, 0.5);
            assertEquals(expected.loss(), result.loss(), 1e-5 * expected.loss());
            assertEquals(expected.loss(), frozen.loss(batch, vectors), 1e-5 * expected.loss());
            if (c.prefix() > 0) {
                Tensor difference = result.gradient().sub(expected.gradient().mul(new Scalar(0.5)));
                assertTrue(
                        norm(difference) < 1e-4 * 0.5 * norm(expected.gradient()),
                        "relative error " + norm(difference) / norm(expected.gradient()) * 2);
            }
        }
    }

    private static FrozenModel.Options options(Case c) {
        return new FrozenModel.Options(
                c.precision(), c.recompute(), c.prefix() == 7, c.kernels() ? Kernels.find() : Optional.empty());
    }

    @ParameterizedTest
    @MethodSource("cases")
    void eightBitsAreNearFloat32AndTheSameWithAndWithoutKernels(Case c) {
        if (c.prefix() == 0) {
            return;
        }
        try (TensorScope _ = new TensorScope()) {
            BaseModel model = model(c.model().config);
            List<Sequence> sequences = sequences(model.config(), 4);
            Tensor vectors = vectors(model.config(), c.prefix());
            Expected expected = autograd(model, sequences, vectors, c.prefix());
            Case int8 = new Case(c.model(), c.prefix(), Precision.INT8, c.recompute(), c.kernels());
            FrozenModel.Gradient result =
                    new FrozenModel(model, options(int8)).gradient(PackedBatch.of(sequences), vectors, 1);
            assertEquals(expected.loss(), result.loss(), 0.01 * expected.loss());
            if (c.model() != Model.ODD) { // 30 values in a row are too few for their errors to cancel out
                double cosine = cosine(expected.gradient(), result.gradient());
                assertTrue(cosine > 0.99, "cosine " + cosine);
            }
            if (c.kernels()) {
                FrozenModel.Options composed = new FrozenModel.Options(Precision.INT8, false, false, Optional.empty());
                FrozenModel.Gradient other =
                        new FrozenModel(model, composed).gradient(PackedBatch.of(sequences), vectors, 1);
                assertEquals(other.loss(), result.loss(), 1e-3 * other.loss());
                double same = cosine(other.gradient(), result.gradient());
                assertTrue(same > 0.999, "cosine " + same);
            }
        }
    }

    /** Passes that pause between blocks, with others in between, come to the same; one that is dropped leaves nothing. */
    @Test
    void aPassMayPauseAndBeDropped() {
        try (TensorScope _ = new TensorScope()) {
            BaseModel model = model(Model.LLAMA.config);
            PackedBatch batch = PackedBatch.of(sequences(model.config(), 3));
            List<Adaptation> prompts =
                    List.of(Adaptation.of(SoftPrompt.prefix(vectors(model.config(), 7), model.config())));
            List<Objective> targets = Objective.likelihood(0.5).each(batch.targets().length);
            FrozenModel frozen = new FrozenModel(model, FrozenModel.Options.of(model, Precision.FP32));
            int[] of = new int[batch.sequences()];
            GradientPass.Gradients whole = frozen.gradient(batch, prompts, of, targets);
            try (GradientPass one = frozen.begin(batch, prompts, of, targets);
                    GradientPass other = frozen.begin(batch, prompts, of, targets)) {
                while (one.advance()) {
                    other.advance();
                }
                while (other.advance()) {}
                for (GradientPass pass : List.of(one, other)) {
                    GradientPass.Gradients result = pass.result();
                    assertTrue(result.adaptations()
                            .getFirst()
                            .activations()
                            .equal(whole.adaptations().getFirst().activations()));
                    assertEquals(whole.losses()[0], result.losses()[0]);
                }
            }
            Random random = new Random(1);
            NativeMemory.assertNothingIsLeftBehind(300, () -> {
                try (GradientPass dropped = frozen.begin(batch, prompts, of, targets)) {
                    for (int steps = random.nextInt(2 * model.config().layers()); steps > 0; steps--) {
                        dropped.advance();
                    }
                }
            });
        }
    }

    @Test
    void stepsLeaveNothingBehind() {
        try (TensorScope _ = new TensorScope()) {
            BaseModel model = model(Model.USUAL.config);
            PackedBatch batch = PackedBatch.of(sequences(model.config(), 3));
            Tensor vectors = vectors(model.config(), 7);
            FrozenModel frozen = new FrozenModel(model, FrozenModel.Options.of(model, Precision.FP32));
            NativeMemory.assertNothingIsLeftBehind(600, () -> {
                try (TensorScope _ = new TensorScope()) {
                    frozen.gradient(batch, vectors, 1);
                }
            });
        }
    }
}
