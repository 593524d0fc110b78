package dev.prefix4j.frozen;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.prefix4j.kernels.Kernels;
import dev.prefix4j.model.AutogradModel;
import dev.prefix4j.model.BaseModel;
import dev.prefix4j.model.Extension;
import dev.prefix4j.model.Family;
import dev.prefix4j.model.KvCache;
import dev.prefix4j.model.LmLoss;
import dev.prefix4j.model.ModelConfig;
import dev.prefix4j.prefix.PrefixShape;
import dev.prefix4j.text.PackedBatch;
import dev.prefix4j.text.Sequence;
import dev.prefix4j.text.TokenBatch;
import dev.prefix4j.torch.NativeMemory;
import dev.prefix4j.torch.TensorScope;
import dev.prefix4j.torch.TorchRuntime;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.bytedeco.pytorch.NoGradGuard;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

/** Low-rank maps and bottleneck networks in frozen blocks, against autograd through the same. */
class ExtensionTest {
    private static final int PREFIX = 3;

    /** What is put into the blocks. */
    enum Kind {
        /** Changes of the maps that LoRA changes where nothing is said. */
        USUAL_TARGETS,
        /** Changes of every map of a block. */
        ALL_MAPS,
        /** Networks after both halves. */
        NETWORKS,
        /** All of it, in some of the blocks. */
        BOTH_IN_SOME_BLOCKS
    }

    private record Case(FrozenModelTest.Model model, Kind kind, boolean kernels) {}

    @BeforeAll
    static void start() {
        TorchRuntime.require();
    }

    static Stream<Case> cases() {
        return Arrays.stream(FrozenModelTest.Model.values())
                .flatMap(model -> Arrays.stream(Kind.values())
                        .flatMap(kind -> Stream.of(true, false)
                                .filter(kernels -> !kernels || Kernels.find().isPresent())
                                .map(kernels -> new Case(model, kind, kernels))));
    }

    private static Tensor random(double deviation, long... shape) {
        return torch.randn(shape).mul_(new Scalar(deviation));
    }

    private static Extension extension(BaseModel model, Kind kind) {
        ModelConfig config = model.config();
        Map<String, Extension.LowRank> maps = new LinkedHashMap<>();
        Map<String, Extension.Bottleneck> halves = new LinkedHashMap<>();
        int width = config.width();
        for (int layer = 0; layer < config.layers(); layer++) {
            Family.Block block = config.family().names().block().apply(layer);
            boolean some = kind == Kind.BOTH_IN_SOME_BLOCKS;
            if (some && layer == 0 && config.layers() > 1) {
                continue;
            }
            for (String map : block.maps()) {
                boolean usual = config.family().loraTargets().contains(map.substring(map.lastIndexOf('.') + 1));
                if (kind == Kind.ALL_MAPS || some || kind == Kind.USUAL_TARGETS && usual) {
                    Tensor weight = model.weights().get(map + ".weight");
                    boolean inputsFirst = config.family().names().inputsFirst();
                    maps.put(
                            map,
                            new Extension.LowRank(
                                    random(0.3, 3, weight.size(inputsFirst ? 0 : 1)),
                                    random(0.3, weight.size(inputsFirst ? 1 : 0), 3),
                                    0.7));
                }
            }
            if (kind == Kind.NETWORKS || some) {
                for (String half : List.of(block.attention(), block.mlp())) {
                    halves.put(
                            half,
                            new Extension.Bottleneck(
                                    random(0.3, width, 5), random(0.3, 5), random(0.3, 5, width), random(0.1, width)));
                }
            }
        }
        return new Extension(maps, halves);
    }

    private static FrozenModel frozen(BaseModel model, Precision precision, boolean recompute, boolean kernels) {
        return new FrozenModel(
                model,
                new FrozenModel.Options(precision, recompute, false, kernels ? Kernels.find() : Optional.empty()));
    }

    private record Expected(double loss, List<Tensor> gradients) {}

    /** Of the extension's tensors, and of the prefix. */
    private static Expected autograd(BaseModel model, Extension extension, Tensor vectors, List<Sequence> sequences) {
        TokenBatch batch = TokenBatch.of(sequences, 0);
        Tensor leaf = vectors.clone().requires_grad_(true);
        Extension leaves = extension.copy();
        leaves.tensors().forEach(tensor -> tensor.requires_grad_(true));
        KvCache cache =
                KvCache.startingWith(PrefixShape.of(PREFIX, model.config()).split(leaf));
        Tensor hidden = new AutogradModel(model, leaves).forward(model.ids(batch.ids(), batch.rows()), cache);
        Tensor loss = LmLoss.sum(model.head(), hidden, model.ids(batch.positions()), model.ids(batch.targets()));
        loss.backward();
        List<Tensor> gradients =
                new ArrayList<>(leaves.tensors().stream().map(Tensor::grad).toList());
        gradients.add(leaf.grad());
        return new Expected(loss.item_double(), gradients);
    }

    private static GradientPass.Gradients gradients(
            FrozenModel frozen, Extension extension, Tensor vectors, List<Sequence> sequences) {
        PackedBatch batch = PackedBatch.of(sequences);
        Adaptation adaptation = new Adaptation(SoftPrompt.prefix(vectors, frozen.config()), extension);
        return frozen.gradient(
                batch,
                List.of(adaptation),
                new int[batch.sequences()],
                Objective.likelihood(1).each(batch.targets().length));
    }

    private static List<Tensor> all(Adaptation.Gradient gradient) {
        List<Tensor> all = new ArrayList<>(gradient.extension().tensors());
        all.add(gradient.activations());
        return all;
    }

    @ParameterizedTest
    @MethodSource("cases")
    void lossAndGradientsAreThoseOfAutograd(Case c) {
        try (TensorScope _ = new TensorScope()) {
            BaseModel model = FrozenModelTest.model(c.model().config);
            List<Sequence> sequences = FrozenModelTest.sequences(model.config(), 3);
            Tensor vectors = FrozenModelTest.vectors(model.config(), PREFIX);
            Extension extension = extension(model, c.kind());
            Expected expected = autograd(model, extension, vectors, sequences);
            for (boolean recompute : new boolean[] {false, true}) {
                FrozenModel frozen = frozen(model, Precision.FP32, recompute, c.kernels());
                GradientPass.Gradients found = gradients(frozen, extension, vectors, sequences);
                double loss = Arrays.stream(found.losses()).sum();
                assertEquals(expected.loss(), loss, 1e-6 * expected.loss());
                List<Tensor> tensors = all(found.adaptations().getFirst());
                for (int i = 0; i < tensors.size(); i++) {
                    Tensor wanted = expected.gradients().get(i);
                    double error = FrozenModelTest.norm(tensors.get(i).sub(wanted)) / FrozenModelTest.norm(wanted);
                    assertTrue(error < 1e-5, "relative error " + error + " of tensor " + i);
                }
                double scored = frozen.with(extension).loss(PackedBatch.of(sequences), vectors);
                assertEquals(expected.loss(), scored, 1e-6 * expected.loss());
            }
        }
    }

    /** The low-rank maps read float32 rows: what is rounded is the base alone. */
    @ParameterizedTest
    @MethodSource("cases")
    void onABaseOfEightBitsLossAndGradientsAreNear(Case c) {
        if (c.model() == FrozenModelTest.Model.ODD) {
            return; // 30 values in a row are too few for their errors to cancel out
        }
        try (TensorScope _ = new TensorScope()) {
            BaseModel model = FrozenModelTest.model(c.model().config);
            List<Sequence> sequences = FrozenModelTest.sequences(model.config(), 4);
            Tensor vectors = FrozenModelTest.vectors(model.config(), PREFIX);
            Extension extension = extension(model, c.kind());
            Expected expected = autograd(model, extension, vectors, sequences);
            FrozenModel frozen = frozen(model, Precision.INT8, false, c.kernels());
            GradientPass.Gradients found = gradients(frozen, extension, vectors, sequences);
            assertEquals(expected.loss(), Arrays.stream(found.losses()).sum(), 0.02 * expected.loss());
            Tensor wanted = flat(expected.gradients());
            Tensor tensors = flat(all(found.adaptations().getFirst()));
            double cosine = FrozenModelTest.cosine(wanted, tensors);
            assertTrue(cosine > 0.95, "cosine " + cosine);
        }
    }

    private static Tensor flat(List<Tensor> tensors) {
        return torch.cat(new org.bytedeco.pytorch.TensorVector(
                tensors.stream().map(t -> t.reshape(-1)).toArray(Tensor[]::new)));
    }

    static Stream<Arguments> familiesAndPrecisions() {
        return Stream.of(FrozenModelTest.Model.USUAL, FrozenModelTest.Model.LLAMA, FrozenModelTest.Model.QWEN3)
                .flatMap(model -> Arrays.stream(Precision.values()).map(precision -> Arguments.of(model, precision)));
    }

    private static List<Adaptation> adaptations(BaseModel model) {
        List<Adaptation> all = new ArrayList<>();
        for (Kind kind : Kind.values()) {
            Tensor vectors = FrozenModelTest.vectors(model.config(), all.size());
            all.add(new Adaptation(SoftPrompt.prefix(vectors, model.config()), extension(model, kind)));
        }
        all.add(Adaptation.of(SoftPrompt.prefix(FrozenModelTest.vectors(model.config(), 9), model.config())));
        return all;
    }

    private static Sequence sequence(BaseModel model, Random random) {
        int source = 1 + random.nextInt(12);
        int[] ids = random.ints(
                        source + 1 + random.nextInt(20), 0, model.config().vocabulary())
                .toArray();
        return new Sequence(ids, source);
    }

    private static GradientPass.Gradients gradients(
            FrozenModel frozen, List<Adaptation> adaptations, List<Sequence> sequences, int[] of) {
        PackedBatch batch = PackedBatch.of(sequences);
        return frozen.gradient(
                batch, adaptations, of, Objective.likelihood(0.25).each(batch.positions().length));
    }

    /** Rows with extensions of their own, and rows without one: bit for bit what each has alone. */
    @ParameterizedTest
    @MethodSource("familiesAndPrecisions")
    void adaptationsInOneBatchHaveTheLossesAndGradientsTheyHaveAlone(
            FrozenModelTest.Model geometry, Precision precision) {
        assumeTrue(Kernels.find().isPresent(), "kernels are built");
        try (TensorScope _ = new TensorScope()) {
            BaseModel model = FrozenModelTest.model(geometry.config);
            FrozenModel frozen = frozen(model, precision, false, true);
            List<Adaptation> adaptations = adaptations(model);
            Random random = new Random(6);
            int[] of =
                    IntStream.range(0, 14).map(i -> i * 3 % adaptations.size()).toArray();
            List<Sequence> sequences =
                    Arrays.stream(of).mapToObj(_ -> sequence(model, random)).toList();
            GradientPass.Gradients together = gradients(frozen, adaptations, sequences, of);
            for (int i = 0; i < adaptations.size(); i++) {
                int one = i;
                int[] rows = IntStream.range(0, of.length)
                        .filter(row -> of[row] == one)
                        .toArray();
                GradientPass.Gradients alone = gradients(
                        frozen,
                        List.of(adaptations.get(one)),
                        Arrays.stream(rows).mapToObj(sequences::get).toList(),
                        new int[rows.length]);
                for (int row = 0; row < rows.length; row++) {
                    assertEquals(alone.losses()[row], together.losses()[rows[row]], "loss of row " + rows[row]);
                }
                List<Tensor> wanted = all(alone.adaptations().getFirst());
                List<Tensor> found = all(together.adaptations().get(one));
                for (int t = 0; t < wanted.size(); t++) {
                    assertTrue(wanted.get(t).equal(found.get(t)), "gradient " + t + " of adaptation " + one);
                }
            }
        }
    }

    @ParameterizedTest
    @EnumSource(names = {"USUAL", "LLAMA"})
    void aPassWithExtensionsMayPauseAndBeDropped(FrozenModelTest.Model geometry) {
        try (TensorScope _ = new TensorScope()) {
            BaseModel model = FrozenModelTest.model(geometry.config);
            FrozenModel frozen =
                    frozen(model, Precision.FP32, false, Kernels.find().isPresent());
            List<Adaptation> adaptations = adaptations(model);
            int[] of = IntStream.range(0, adaptations.size()).toArray();
            Random random = new Random(7);
            List<Sequence> sequences =
                    Arrays.stream(of).mapToObj(_ -> sequence(model, random)).toList();
            PackedBatch batch = PackedBatch.of(sequences);
            List<Objective> targets = Objective.likelihood(0.25).each(batch.positions().length);
            GradientPass.Gradients whole = gradients(frozen, adaptations, sequences, of);
            try (GradientPass one = frozen.begin(batch, adaptations, of, targets);
                    GradientPass other = frozen.begin(batch, adaptations, of, targets)) {
                while (one.advance()) {
                    other.advance();
                }
                while (other.advance()) {}
                for (int i = 0; i < of.length; i++) {
                    List<Tensor> wanted = all(whole.adaptations().get(i));
                    List<Tensor> found = all(other.result().adaptations().get(i));
                    for (int t = 0; t < wanted.size(); t++) {
                        assertTrue(wanted.get(t).equal(found.get(t)), "gradient " + t + " of adaptation " + i);
                    }
                }
            }
            NativeMemory.assertNothingIsLeftBehind(200, () -> {
                try (GradientPass dropped = frozen.begin(batch, adaptations, of, targets)) {
                    for (int steps = random.nextInt(2 * model.config().layers()); steps > 0; steps--) {
                        dropped.advance();
                    }
                }
            });
        }
    }

    @ParameterizedTest
    @MethodSource("cases")
    void decodedRowsHaveTheLogitsOfTheirSequences(Case c) {
        try (TensorScope _ = new TensorScope();
                NoGradGuard _ = new NoGradGuard()) {
            BaseModel model = FrozenModelTest.model(c.model().config);
            Extension extension = extension(model, c.kind());
            AutogradModel autograd = new AutogradModel(model, extension);
            FrozenModel frozen = frozen(model, Precision.FP32, false, c.kernels());
            int[] ids = {7, 3, 11, 5, 2, 19, 4};
            long[] all = Arrays.stream(ids).asLongStream().toArray();
            Tensor expected =
                    autograd.logits(autograd.forward(model.ids(all, 1))).squeeze(0); // [T, V]
            try (Session session = new Session(frozen.with(extension), 1)) {
                Session.Row row = session.admit(List.of(), ids.length);
                Tensor read = session.read(List.of(Session.Chunk.prompt(row, Arrays.copyOf(ids, 4), null)));
                assertTrue(
                        expected.select(0, 3).sub(read.squeeze(0)).abs().max().item_double() < 2e-4);
                for (int t = 4; t < ids.length; t++) {
                    Tensor step = session.step(List.of(row), new long[] {ids[t]});
                    assertTrue(expected.select(0, t)
                                    .sub(step.squeeze(0))
                                    .abs()
                                    .max()
                                    .item_double()
                            < 2e-4);
                }
            }
        }
    }
}
