package dev.prefix4j.frozen;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.prefix4j.kernels.Kernels;
import dev.prefix4j.model.BaseModel;
import dev.prefix4j.text.PackedBatch;
import dev.prefix4j.text.Sequence;
import dev.prefix4j.torch.TensorScope;
import dev.prefix4j.torch.TorchRuntime;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
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
import org.junit.jupiter.params.provider.MethodSource;

/** Every place of a soft prompt and every objective, against {@link PlainGpt2} with autograd. */
class SoftPromptTest {
    private static final int LENGTH = 4;
    private static final int TOKENS = 3;

    private enum Kind {
        PREFIX,
        INFIX,
        SOME_LAYERS,
        EMBEDDINGS,
        INFIX_AND_EMBEDDINGS
    }

    private record Case(FrozenModelTest.Model model, Kind kind, boolean kernels) {}

    @BeforeAll
    static void start() {
        TorchRuntime.require();
    }

    static Stream<Case> cases() {
        return Arrays.stream(FrozenModelTest.Model.values())
                .flatMap(model -> Arrays.stream(Kind.values())
                        .flatMap(kind -> Stream.of(false, true)
                                .filter(kernels -> !kernels || Kernels.find().isPresent())
                                .map(kernels -> new Case(model, kind, kernels))));
    }

    private static FrozenModel frozen(BaseModel model, Case c) {
        return new FrozenModel(
                model,
                new FrozenModel.Options(
                        Precision.FP32,
                        c.kind() == Kind.INFIX,
                        false,
                        c.kernels() ? Kernels.find() : Optional.empty()));
    }

    private static SoftPrompt prompt(BaseModel model, Kind kind) {
        Tensor activations = FrozenModelTest.vectors(model.config(), kind == Kind.EMBEDDINGS ? 0 : LENGTH)
                .requires_grad_(true);
        boolean virtual = kind == Kind.EMBEDDINGS || kind == Kind.INFIX_AND_EMBEDDINGS;
        Tensor embeddings = torch.randn(
                        new long[] {virtual ? TOKENS : 0, model.config().width()})
                .requires_grad_(true);
        int layers = model.config().layers();
        return new SoftPrompt(
                activations,
                kind == Kind.INFIX || kind == Kind.INFIX_AND_EMBEDDINGS
                        ? SoftPrompt.Place.INFIX
                        : SoftPrompt.Place.PREFIX,
                kind == Kind.SOME_LAYERS ? layers / 2 : 0,
                kind == Kind.SOME_LAYERS ? Math.max(layers / 2, layers - 2) : layers - 1,
                embeddings);
    }

    /** Sequences, with virtual tokens before the last token of the source if there are any. */
    private static List<Sequence> sequences(BaseModel model, SoftPrompt prompt) {
        Random random = new Random(11);
        int[] virtual = IntStream.range(0, (int) prompt.embeddings().size(0))
                .map(i -> -i - 1)
                .toArray();
        List<Sequence> sequences = new ArrayList<>();
        for (int[] lengths : new int[][] {{5, 9}, {1, 1}, {11, 20}, {15, 1}}) {
            int[] source =
                    random.ints(lengths[0] - 1, 0, model.config().vocabulary()).toArray();
            int[] rest =
                    random.ints(1 + lengths[1], 0, model.config().vocabulary()).toArray();
            int[] ids = IntStream.concat(
                            IntStream.concat(Arrays.stream(source), Arrays.stream(virtual)), Arrays.stream(rest))
                    .toArray();
            sequences.add(new Sequence(ids, lengths[0] + virtual.length));
        }
        return sequences;
    }

    private static int from(SoftPrompt prompt, Sequence sequence) {
        return prompt.place() == SoftPrompt.Place.INFIX ? sequence.sourceLength() - 1 : 0;
    }

    /** Logits at the target positions, [M, V]. */
    private static Tensor logits(BaseModel model, SoftPrompt prompt, Sequence sequence) {
        int before = sequence.sourceLength() - 1;
        return PlainModel.logits(model, sequence.ids(), prompt, from(prompt, sequence))
                .narrow(0, before, sequence.ids().length - 1 - before);
    }

    private static Tensor targets(BaseModel model, Sequence sequence) {
        return model.ids(Arrays.stream(sequence.ids(), sequence.sourceLength(), sequence.ids().length)
                .asLongStream()
                .toArray());
    }

    /** For all targets of a batch the likelihood, smoothed, with a weight of a half. */
    private static List<Objective> half(PackedBatch batch, double smoothing) {
        return new Objective(0.5, smoothing, Optional.empty()).each(batch.targets().length);
    }

    private static void check(double expected, FrozenModel.Gradient found, SoftPrompt prompt) {
        assertEquals(expected, found.loss(), 1e-5 * Math.abs(expected));
        check(prompt.activations(), found.gradient());
        check(prompt.embeddings(), found.embeddings());
    }

    /** @param found half of what autograd has left at the tensor */
    private static void check(Tensor of, Tensor found) {
        if (of.numel() == 0) {
            assertEquals(0, found.numel());
            return;
        }
        Tensor expected = of.grad().mul(new Scalar(0.5));
        double norm = torch.norm(expected).item_double();
        double error = torch.norm(found.sub(expected)).item_double();
        assertTrue(norm > 0);
        assertTrue(error < 1e-4 * norm, "relative error " + error / norm);
    }

    @ParameterizedTest
    @MethodSource("cases")
    void lossAndGradientAreThoseOfAutograd(Case c) {
        try (TensorScope _ = new TensorScope()) {
            BaseModel model = FrozenModelTest.model(c.model().config);
            SoftPrompt prompt = prompt(model, c.kind());
            List<Sequence> sequences = sequences(model, prompt);
            Tensor loss = torch.zeros(1);
            for (Sequence sequence : sequences) {
                Tensor logs = torch.log_softmax(logits(model, prompt, sequence), 1);
                loss = loss.sub(
                        torch.sum(logs.gather(1, targets(model, sequence).unsqueeze(1))));
            }
            loss.backward();
            FrozenModel frozen = frozen(model, c);
            PackedBatch batch = PackedBatch.of(sequences);
            check(loss.item_double(), frozen.gradient(batch, prompt, half(batch, 0)), prompt);
            assertEquals(loss.item_double(), frozen.loss(batch, prompt), 1e-5 * loss.item_double());
        }
    }

    @ParameterizedTest
    @MethodSource("cases")
    void smoothedLossAndGradientAreThoseOfAutograd(Case c) {
        double smoothing = 0.2;
        try (TensorScope _ = new TensorScope()) {
            BaseModel model = FrozenModelTest.model(c.model().config);
            SoftPrompt prompt = prompt(model, c.kind());
            List<Sequence> sequences = sequences(model, prompt);
            Tensor loss = torch.zeros(1);
            for (Sequence sequence : sequences) {
                Tensor logs = torch.log_softmax(logits(model, prompt, sequence), 1);
                loss = loss.sub(torch.sum(
                                        logs.gather(1, targets(model, sequence).unsqueeze(1)))
                                .mul(new Scalar(1 - smoothing)))
                        .sub(torch.sum(logs)
                                .mul(new Scalar(smoothing / model.config().vocabulary())));
            }
            loss.backward();
            PackedBatch batch = PackedBatch.of(sequences);
            check(loss.item_double(), frozen(model, c).gradient(batch, prompt, half(batch, smoothing)), prompt);
        }
    }

    @ParameterizedTest
    @MethodSource("cases")
    void divergenceFromATeacherAndItsGradientAreThoseOfAutograd(Case c) {
        try (TensorScope _ = new TensorScope()) {
            BaseModel model = FrozenModelTest.model(c.model().config);
            SoftPrompt prompt = prompt(model, c.kind());
            SoftPrompt other = prompt(model, Kind.PREFIX);
            List<Sequence> sequences = sequences(model, prompt);
            List<Sequence> taught = sequences(model, other);
            Tensor loss = torch.zeros(1);
            for (int i = 0; i < sequences.size(); i++) {
                Tensor logs = torch.log_softmax(logits(model, prompt, sequences.get(i)), 1);
                Tensor wanted =
                        torch.log_softmax(logits(model, other, taught.get(i)).detach(), 1);
                loss = loss.add(torch.sum(wanted.exp().mul(wanted.sub(logs))));
            }
            loss.backward();
            FrozenModel frozen = frozen(model, c);
            List<Objective> targets = Objective.taught(frozen.predictions(PackedBatch.of(taught), other), 0.5);
            check(loss.item_double(), frozen.gradient(PackedBatch.of(sequences), prompt, targets), prompt);
        }
    }

    @ParameterizedTest
    @MethodSource("cases")
    void decodedRowsHaveTheLogitsOfTheirSequences(Case c) {
        try (TensorScope _ = new TensorScope();
                NoGradGuard _ = new NoGradGuard()) {
            BaseModel model = FrozenModelTest.model(c.model().config);
            SoftPrompt prompt = prompt(model, c.kind());
            List<int[]> rows = new ArrayList<>();
            List<Integer> ends = new ArrayList<>();
            for (Sequence sequence : sequences(model, prompt)) {
                rows.add(Arrays.copyOf(sequence.ids(), sequence.sourceLength()));
                ends.add(from(prompt, sequence));
            }
            Conditioned conditioned = new Conditioned(frozen(model, c), prompt);
            try (Run run = conditioned.run();
                    Session session = new Session(conditioned.model(), 40)) {
                List<Session.Chunk> chunks = new ArrayList<>();
                for (int[] ids : rows) {
                    Session.Row row = session.admit(conditioned.seen(run, ids.length), ids.length + 3);
                    chunks.add(Session.Chunk.prompt(row, ids, conditioned.vectors()));
                }
                for (int n = 0; n < 4; n++) {
                    long[] tokens = new long[rows.size()];
                    for (int i = 0; i < tokens.length; i++) {
                        tokens[i] = 5 + 7 * n + i;
                    }
                    Tensor logits = n == 0
                            ? session.read(chunks)
                            : session.step(
                                    chunks.stream().map(Session.Chunk::row).toList(),
                                    Arrays.stream(tokens).map(t -> t - 7).toArray());
                    for (int i = 0; i < rows.size(); i++) {
                        int[] ids = rows.get(i);
                        Tensor expected = PlainModel.logits(model, ids, prompt, ends.get(i))
                                .select(0, ids.length - 1);
                        assertTrue(expected.sub(logits.select(0, i)).abs().max().item_double() < 2e-4);
                        int[] longer = Arrays.copyOf(ids, ids.length + 1);
                        longer[ids.length] = (int) tokens[i];
                        rows.set(i, longer);
                    }
                }
            }
        }
    }

    /** A GPT-2, and models of the family of Llama, in every precision. */
    static Stream<Arguments> familiesAndPrecisions() {
        return Stream.of(FrozenModelTest.Model.USUAL, FrozenModelTest.Model.LLAMA, FrozenModelTest.Model.QWEN3)
                .flatMap(model -> Arrays.stream(Precision.values()).map(precision -> Arguments.of(model, precision)));
    }

    /** A sequence with a soft prompt's virtual tokens, of random lengths. */
    private static Sequence sequence(BaseModel model, SoftPrompt prompt, Random random) {
        int vocabulary = model.config().vocabulary();
        int source = 1 + random.nextInt(12);
        int virtual = (int) prompt.embeddings().size(0);
        int[] ids = IntStream.concat(
                        IntStream.concat(
                                random.ints(source - 1, 0, vocabulary),
                                IntStream.range(0, virtual).map(i -> -i - 1)),
                        random.ints(2 + random.nextInt(20), 0, vocabulary))
                .toArray();
        return new Sequence(ids, source + virtual);
    }

    private static List<SoftPrompt> manyPrompts(BaseModel model) {
        List<SoftPrompt> prompts = new ArrayList<>();
        for (Kind kind : Kind.values()) {
            prompts.add(prompt(model, kind));
        }
        for (int length : new int[] {0, 1, 33}) {
            prompts.add(SoftPrompt.prefix(FrozenModelTest.vectors(model.config(), length), model.config()));
        }
        return prompts;
    }

    /** The rows of a batch that see the prompts in question, each by itself or all at once. */
    private static GradientPass.Gradients gradients(
            FrozenModel frozen, List<SoftPrompt> prompts, List<Sequence> sequences, int[] of) {
        PackedBatch batch = PackedBatch.of(sequences);
        return frozen.gradient(
                batch,
                prompts.stream().map(Adaptation::of).toList(),
                of,
                Objective.likelihood(0.25).each(batch.positions().length));
    }

    /**
     * A batch of 16 rows with 8 different prompts, an infix and virtual tokens among them: the losses and the gradients of each prompt
     * are those of a batch of its own rows alone, with our kernels bit for bit.
     */
    @ParameterizedTest
    @MethodSource("familiesAndPrecisions")
    void promptsInOneBatchHaveTheLossesAndGradientsTheyHaveAlone(FrozenModelTest.Model geometry, Precision precision) {
        assumeTrue(Kernels.find().isPresent(), "kernels are built");
        try (TensorScope _ = new TensorScope()) {
            BaseModel model = FrozenModelTest.model(geometry.config);
            FrozenModel frozen =
                    new FrozenModel(model, new FrozenModel.Options(precision, false, false, Kernels.find()));
            List<SoftPrompt> prompts = manyPrompts(model);
            Random random = new Random(3);
            int[] of = IntStream.range(0, 16).map(i -> i * 5 % prompts.size()).toArray();
            List<Sequence> sequences = Arrays.stream(of)
                    .mapToObj(i -> sequence(model, prompts.get(i), random))
                    .toList();
            GradientPass.Gradients together = gradients(frozen, prompts, sequences, of);
            for (int i = 0; i < prompts.size(); i++) {
                int one = i;
                int[] rows = IntStream.range(0, of.length)
                        .filter(row -> of[row] == one)
                        .toArray();
                GradientPass.Gradients alone = gradients(
                        frozen,
                        List.of(prompts.get(one)),
                        Arrays.stream(rows).mapToObj(sequences::get).toList(),
                        new int[rows.length]);
                for (int row = 0; row < rows.length; row++) {
                    assertEquals(alone.losses()[row], together.losses()[rows[row]], "loss of row " + rows[row]);
                }
                Adaptation.Gradient wanted = alone.adaptations().getFirst();
                Adaptation.Gradient found = together.adaptations().get(one);
                assertTrue(wanted.activations().equal(found.activations()), "gradient of prompt " + one);
                assertTrue(
                        wanted.embeddings().equal(found.embeddings()),
                        "gradient of the virtual tokens of prompt " + one);
            }
        }
    }

    /** Sequences that are weighted, smoothed and taught otherwise, in one batch: each has the loss and the gradient it has alone. */
    @ParameterizedTest
    @MethodSource("familiesAndPrecisions")
    void targetsHaveObjectivesOfTheirOwn(FrozenModelTest.Model geometry, Precision precision) {
        assumeTrue(Kernels.find().isPresent(), "kernels are built");
        try (TensorScope _ = new TensorScope()) {
            BaseModel model = FrozenModelTest.model(geometry.config);
            FrozenModel frozen =
                    new FrozenModel(model, new FrozenModel.Options(precision, false, false, Kernels.find()));
            SoftPrompt teacher = prompt(model, Kind.PREFIX);
            Random random = new Random(4);
            List<Adaptation> prompts = new ArrayList<>();
            List<Sequence> sequences = new ArrayList<>();
            List<List<Objective>> targets = new ArrayList<>();
            for (int i = 0; i < 6; i++) {
                SoftPrompt own = SoftPrompt.prefix(FrozenModelTest.vectors(model.config(), 3), model.config());
                prompts.add(Adaptation.of(own));
                sequences.add(sequence(model, own, random));
                PackedBatch batch = PackedBatch.of(sequences.subList(i, i + 1));
                double weight = 0.1 + i;
                targets.add(
                        i % 3 == 2
                                ? Objective.taught(frozen.predictions(batch, teacher), weight)
                                : new Objective(weight, i % 3 * 0.1 * i, Optional.empty())
                                        .each(batch.targets().length));
            }
            GradientPass.Gradients together = frozen.gradient(
                    PackedBatch.of(sequences),
                    prompts,
                    IntStream.range(0, 6).toArray(),
                    targets.stream().flatMap(List::stream).toList());
            for (int i = 0; i < 6; i++) {
                GradientPass.Gradients alone = frozen.gradient(
                        PackedBatch.of(sequences.subList(i, i + 1)),
                        prompts.subList(i, i + 1),
                        new int[1],
                        targets.get(i));
                assertEquals(alone.losses()[0], together.losses()[i], 1e-12 * alone.losses()[0], "loss " + i);
                assertTrue(
                        alone.adaptations()
                                .getFirst()
                                .activations()
                                .equal(together.adaptations().get(i).activations()),
                        "gradient " + i);
            }
        }
    }
}
