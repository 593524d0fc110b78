package dev.prefix4j.method;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.prefix4j.InputException;
import dev.prefix4j.eval.Likelihood;
import dev.prefix4j.frozen.Conditioned;
import dev.prefix4j.frozen.FrozenModel;
import dev.prefix4j.frozen.Precision;
import dev.prefix4j.generate.Decoding;
import dev.prefix4j.generate.Generation;
import dev.prefix4j.generate.Generator;
import dev.prefix4j.model.Activation;
import dev.prefix4j.model.BaseModel;
import dev.prefix4j.model.ModelConfig;
import dev.prefix4j.model.ModelConfig.Tokens;
import dev.prefix4j.model.gpt2.Gpt2Family;
import dev.prefix4j.prefix.PrefixEncoder.Reparametrization;
import dev.prefix4j.text.Sequence;
import dev.prefix4j.torch.ScopedTest;
import dev.prefix4j.torch.TensorScope;
import dev.prefix4j.torch.TorchRuntime;
import dev.prefix4j.train.AdamW;
import java.nio.file.Path;
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
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

class MethodTest extends ScopedTest {
    private static final int L = 3;
    private static final int E = 32;
    private static final ModelConfig CONFIG =
            Gpt2Family.config(L, 4, E, 64, 131, 4 * E, Activation.GELU_TANH, 1e-5, true, false, true, Tokens.of(0, 0));
    private static final Vectors MLP = new Vectors(5, Reparametrization.MLP, 16);
    private static final Vectors DIRECT = new Vectors(5, Reparametrization.DIRECT, 0);
    static final Freezer FREEZER =
            (base, changes) -> new FrozenModel(base, changes, FrozenModel.Options.of(base, Precision.FP32));

    @TempDir
    Path temporary;

    /** A method, and how many parameters it trains and stores, written out. */
    record Case(Method method, long trained, long stored) {
        @Override
        public String toString() {
            return method.toString();
        }
    }

    static Stream<Case> trainable() {
        long block = 2 * 2 * E + (E * 3 * E + 3 * E) + (E * E + E) + (E * 4 * E + 4 * E) + (4 * E * E + E);
        long all = 131 * E + 64 * E + L * block + 2 * E;
        long row = 2 * L * E;
        return Stream.of(
                new Case(new PrefixTuning(MLP), 5 * E + 16 * E + 16 + 16 * row + row, 5 * row),
                new Case(new PrefixTuning(DIRECT), 5 * row, 5 * row),
                new Case(new InfixTuning(DIRECT), 5 * row, 5 * row),
                new Case(new LayerTuning(DIRECT, 1, 2), 5 * 4 * E, 5 * 4 * E),
                new Case(new LayerTuning(MLP, 1, 1), 5 * E + 16 * E + 16 + 16 * 2 * E + 2 * E, 5 * 2 * E),
                new Case(new EmbeddingTuning(MLP), 5 * E + 16 * E + 16 + 16 * E + E, 5 * E),
                new Case(new EmbeddingTuning(DIRECT), 5 * E, 5 * E),
                new Case(new InfixEmbeddingTuning(DIRECT), 5 * E, 5 * E),
                new Case(new FineTuning(), all, all),
                new Case(new TopTuning(2), 2 * block + 2 * E, 2 * block + 2 * E),
                new Case(new AdapterTuning(6), L * 2 * (2 * E * 6 + 6 + E), L * 2 * (2 * E * 6 + 6 + E)),
                new Case(new LoraTuning(2, 8), L * (2 * E + 2 * 3 * E), L * (2 * E + 2 * 3 * E)));
    }

    static BaseModel model() {
        TorchRuntime.seed(5);
        BaseModel model = Gpt2Family.initialize(CONFIG, TorchRuntime.device("cpu"));
        model.weights()
                .forEach((name, weight) -> weight.requires_grad_(false)
                        .add_(torch.randn_like(weight).mul_(new Scalar(0.1))));
        return model;
    }

    static List<Sequence> sequences() {
        Random random = new Random(8);
        List<Sequence> sequences = new ArrayList<>();
        for (int[] lengths : new int[][] {{5, 7}, {2, 3}, {9, 12}, {4, 1}}) {
            sequences.add(
                    new Sequence(random.ints(lengths[0] + lengths[1], 0, 131).toArray(), lengths[0]));
        }
        return sequences;
    }

    private static long targets() {
        return sequences().stream()
                .mapToLong(s -> s.ids().length - s.sourceLength())
                .sum();
    }

    static void train(Tuning tuner, int steps) {
        AdamW optimizer = new AdamW(tuner.parameters(), 0.999, 0);
        for (int i = 0; i < steps; i++) {
            try (TensorScope _ = new TensorScope()) {
                optimizer.step(
                        1e-2,
                        tuner.gradients(List.of(sequences()), Tuning.Goal.LIKELIHOOD, 1.0 / targets(), i)
                                .gradients());
            }
        }
    }

    private static Map<String, Tensor> copies(Map<String, Tensor> tensors) {
        Map<String, Tensor> copies = new LinkedHashMap<>();
        tensors.forEach((name, tensor) -> copies.put(name, tensor.detach().clone()));
        return copies;
    }

    private static long count(Map<String, Tensor> tensors) {
        return tensors.values().stream().mapToLong(Tensor::numel).sum();
    }

    private static List<int[]> generate(Conditioned model) {
        List<int[]> prompts = List.of(new int[] {3, 4, 5}, new int[] {9}, new int[] {1, 2, 3, 4, 5, 6, 7});
        return new Generator(model)
                .generate(prompts, new Decoding.BeamSearch(3, 1), 9).stream()
                        .map(Generation::ids)
                        .toList();
    }

    @ParameterizedTest
    @MethodSource("trainable")
    void countsOfParametersEqualTheFormulas(Case c) {
        assertEquals(c.trained(), c.method().trainedNumbers(CONFIG));
        assertEquals(c.stored(), c.method().storedNumbers(CONFIG));
        Tuning tuner = c.method().tuning(model(), FREEZER, 5);
        assertEquals(c.trained(), count(tuner.parameters()));
        assertEquals(c.stored(), count(tuner.stored()));
    }

    @ParameterizedTest
    @MethodSource("trainable")
    void stepsChangeAllThatTheMethodTrainsAndNothingElse(Case c) {
        BaseModel model = model();
        Tuning tuner = c.method().tuning(model, FREEZER, 5);
        Map<String, Tensor> weights = copies(model.weights());
        Map<String, Tensor> parameters = copies(tuner.parameters());
        train(tuner, 3);
        tuner.parameters().forEach((name, tensor) -> assertFalse(tensor.equal(parameters.get(name)), name));
        model.weights().forEach((name, weight) -> {
            if (!tuner.parameters().containsKey(name)) {
                assertTrue(weight.equal(weights.get(name)), name);
                assertFalse(weight.requires_grad(), name);
                assertFalse(weight.grad().defined(), name);
            }
        });
    }

    @ParameterizedTest
    @MethodSource("trainable")
    void theStoredFileAloneReproducesTheOutputs(Case c) {
        Tuning tuner = c.method().tuning(model(), FREEZER, 5);
        List<int[]> before = generate(tuner.current());
        train(tuner, 40);
        Path folder = temporary.resolve("adapter");
        AdapterFolder.save(c.method(), tuner.stored(), CONFIG, folder, "base", Optional.empty());
        Conditioned loaded = AdapterFolder.apply(folder, model()); // the base as it was
        double loss = Likelihood.of(tuner.current(), sequences(), 2).loss();
        assertEquals(loss, Likelihood.of(loaded, sequences(), 3).loss(), 1e-5);
        List<int[]> expected = generate(tuner.current());
        List<int[]> found = generate(loaded);
        boolean changed = false;
        for (int i = 0; i < expected.size(); i++) {
            assertArrayEquals(expected.get(i), found.get(i));
            changed |= !java.util.Arrays.equals(expected.get(i), before.get(i));
        }
        assertTrue(changed, "the test says nothing if training changed no output");
    }

    @ParameterizedTest
    @MethodSource("trainable")
    void trainingAndScoringSeeTheSameModel(Case c) {
        Tuning tuner = c.method().tuning(model(), FREEZER, 5);
        train(tuner, 5);
        double trained = tuner.gradients(List.of(sequences()), Tuning.Goal.LIKELIHOOD, 1, 0)
                        .loss()
                / targets();
        assertEquals(Likelihood.of(tuner.current(), sequences(), 4).loss(), trained, 1e-5);
    }

    /** Central differences in a random direction, of the loss that is computed. */
    @ParameterizedTest
    @MethodSource("trainable")
    void gradientsAreThoseOfTheLoss(Case c) {
        Tuning tuner = c.method().tuning(model(), FREEZER, 5);
        train(tuner, 2); // LoRA's first gradients are half zero
        for (Tuning.Goal goal : List.of(
                Tuning.Goal.LIKELIHOOD,
                new Tuning.Goal(0.3, Optional.empty(), 0),
                new Tuning.Goal(
                        0,
                        Optional.of(new PrefixTuning(DIRECT)
                                .tuning(model(), FREEZER, 6)
                                .current()),
                        0))) {
            Map<String, Tensor> directions = new LinkedHashMap<>();
            double slope = 0;
            var gradients = tuner.gradients(List.of(sequences()), goal, 0.25, 0).gradients();
            for (var entry : tuner.parameters().entrySet()) {
                Tensor gradient = gradients.get(entry.getKey()).dense();
                Tensor direction = gradient.div(
                                new Scalar(1e-12 + torch.norm(gradient).item_double()))
                        .detach();
                directions.put(entry.getKey(), direction);
                slope += torch.sum(gradient.mul(direction)).item_double();
            }
            double step = 2e-3;
            double difference =
                    (moved(tuner, directions, step, goal) - moved(tuner, directions, -step, goal)) / (2 * step);
            assertEquals(0.25 * difference, slope, 0.02 * slope, goal.toString());
        }
    }

    private static double moved(Tuning tuner, Map<String, Tensor> directions, double by, Tuning.Goal goal) {
        directions.forEach(
                (name, direction) -> tuner.parameters().get(name).detach().add_(direction.mul(new Scalar(by))));
        double loss = tuner.gradients(List.of(sequences()), goal, 1, 0).loss();
        directions.forEach(
                (name, direction) -> tuner.parameters().get(name).detach().sub_(direction.mul(new Scalar(by))));
        return loss;
    }

    @Test
    void lowRankChangesAndAdaptersStartAtTheModel() {
        double alone = Likelihood.of(
                        Conditioned.plain(FREEZER.freeze(model(), FrozenModel.Changes.NONE)), sequences(), 4)
                .loss();
        Tuning lora = new LoraTuning(4, 8).tuning(model(), FREEZER, 5);
        assertEquals(alone, Likelihood.of(lora.current(), sequences(), 4).loss(), 1e-6);
        Tuning adapter = new AdapterTuning(4).tuning(model(), FREEZER, 5);
        assertEquals(alone, Likelihood.of(adapter.current(), sequences(), 4).loss(), 0.01);
    }

    @Test
    void adaptersKeepToTheirShare() {
        ModelConfig small = Gpt2Family.config(
                12, 12, 768, 1024, 50257, 3072, Activation.GELU_TANH, 1e-5, true, false, true, Tokens.of(0, 0));
        for (double share : new double[] {0.03, 0.001}) {
            double found = (double) AdapterTuning.ofShare(share, small).storedNumbers(small) / 124_439_808;
            assertTrue(found <= share && found > 0.7 * share, share + " became " + found);
        }
    }

    @Test
    void examplesInTheContextAreWhatTheModelWouldRead() {
        BaseModel model = model();
        int[] context = {7, 8, 9, 10, 11, 12};
        InContext method = new InContext(context.length);
        Map<String, Tensor> kept = Map.of(InContext.TOKENS, torch.tensor(new float[] {7, 8, 9, 10, 11, 12}));
        AdapterFolder.save(method, kept, CONFIG, temporary.resolve("a"), "base", Optional.empty());
        List<Sequence> longer = sequences().stream()
                .map(s -> new Sequence(
                        java.util.stream.IntStream.concat(
                                        java.util.Arrays.stream(context), java.util.Arrays.stream(s.ids()))
                                .toArray(),
                        s.sourceLength() + context.length))
                .toList();
        double expected = Likelihood.of(Conditioned.plain(FREEZER.freeze(model, FrozenModel.Changes.NONE)), longer, 4)
                .loss();
        Conditioned loaded = AdapterFolder.apply(temporary.resolve("a"), model);
        assertEquals(expected, Likelihood.of(loaded, sequences(), 4).loss(), 1e-5);
    }

    private static SoftPromptTuner prompts(Method method, BaseModel model) {
        return (SoftPromptTuner) ((EngineTuning) method.tuning(model, FREEZER, 5)).tuner();
    }

    @Test
    void virtualTokensStartFromRealWords() {
        BaseModel model = model();
        FrozenModel engine = FREEZER.freeze(model, FrozenModel.Changes.NONE);
        int[] words = {5, 6, 7};
        for (Method method :
                List.of(new PrefixTuning(MLP), new EmbeddingTuning(DIRECT), new LayerTuning(DIRECT, 1, 2))) {
            SoftPromptTuner prompts = prompts(method, model);
            Tensor wanted = prompts.ofWords(engine, words);
            assertTrue(prompts.start(wanted) < 1e-4, method.toString());
            assertTrue(prompts.stored()
                            .get(SoftPromptTuner.VECTORS)
                            .sub(wanted)
                            .abs()
                            .max()
                            .item_double()
                    < 1e-4);
        }
        SoftPromptTuner embedding = prompts(new EmbeddingTuning(DIRECT), model);
        Tensor words5 = embedding.ofWords(engine, words);
        assertTrue(words5.select(0, 4).equal(model.weights().get("wte.weight").select(0, 6)), "repeated");
        assertThrows(InputException.class, () -> embedding.ofWords(engine, new int[0]));
    }

    @Test
    void badFoldersAreRefusedWithAReason() {
        LoraTuning method = new LoraTuning(2, 8);
        Tuning tuner = method.tuning(model(), FREEZER, 5);
        Path folder = temporary.resolve("lora");
        AdapterFolder.save(new LoraTuning(3, 8), tuner.stored(), CONFIG, folder, "base", Optional.empty());
        InputException e = assertThrows(InputException.class, () -> AdapterFolder.apply(folder, model()));
        assertTrue(
                e.getMessage().contains("expected shape [3, 32] by adapter_config.json and the model, found [2, 32]"),
                e.getMessage());
        AdapterFolder.save(new FineTuning(), tuner.stored(), CONFIG, folder, "base", Optional.empty());
        e = assertThrows(InputException.class, () -> AdapterFolder.apply(folder, model()));
        assertTrue(
                e.getMessage()
                        .contains("expected 40 tensors, found 6; missing 'h.0.attn.c_attn.bias',"
                                + " 'h.0.attn.c_attn.weight' and 38 more; not expected"
                                + " 'base_model.model.transformer.h.0.attn.c_attn.lora_A.weight'"),
                e.getMessage());
    }
}
