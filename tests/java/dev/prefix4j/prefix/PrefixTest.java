package dev.prefix4j.prefix;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.prefix4j.InputException;
import dev.prefix4j.frozen.Conditioned;
import dev.prefix4j.frozen.FrozenModel;
import dev.prefix4j.frozen.Precision;
import dev.prefix4j.generate.Decoding;
import dev.prefix4j.generate.Generation;
import dev.prefix4j.generate.Generator;
import dev.prefix4j.generate.OutputRules;
import dev.prefix4j.method.AdapterFolder;
import dev.prefix4j.method.EngineTuning;
import dev.prefix4j.method.Method;
import dev.prefix4j.method.PrefixTuning;
import dev.prefix4j.method.SoftPromptTuner;
import dev.prefix4j.method.Vectors;
import dev.prefix4j.model.BaseModel;
import dev.prefix4j.model.Checkpoint;
import dev.prefix4j.model.KvCache;
import dev.prefix4j.model.gpt2.Gpt2;
import dev.prefix4j.prefix.PrefixEncoder.Reparametrization;
import dev.prefix4j.torch.Draws;
import dev.prefix4j.torch.ScopedTest;
import dev.prefix4j.torch.TensorScope;
import dev.prefix4j.torch.TorchRuntime;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.bytedeco.pytorch.BoolOptional;
import org.bytedeco.pytorch.NoGradGuard;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorArrayRefOptional;
import org.bytedeco.pytorch.global.torch;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class PrefixTest extends ScopedTest {
    @TempDir
    Path temporary;

    private BaseModel model;

    @BeforeEach
    void load() {
        TorchRuntime.seed(1);
        model = Checkpoint.load(Path.of("tests/resources/parity/tiny/model"), TorchRuntime.device("cpu"));
    }

    private PrefixEncoder encoder(Reparametrization how, int length) {
        return PrefixEncoder.create(how, PrefixShape.of(length, model.config()), 16, model.device(), new Draws(1));
    }

    /** What {@code --init-words} starts from. */
    private Prefix ofWords(int[] ids, int length) {
        EngineTuning tuning = (EngineTuning) new PrefixTuning(new Vectors(length, Reparametrization.DIRECT, 1))
                .tuning(model, (base, changes) -> new FrozenModel(base, Precision.FP32), 1);
        Tensor vectors = ((SoftPromptTuner) tuning.tuner()).ofWords(tuning.engine(), ids);
        return new Prefix(PrefixShape.of(length, model.config()), vectors, model.device());
    }

    private static double distance(Tensor a, Tensor b) {
        return torch.max(torch.abs(a.sub(b))).item_double();
    }

    /** A prefix of real words is the same as reading those words: the definition of the initialization. */
    @Test
    void aPrefixOfWordsActsAsTheWords() {
        int[] words = {5, 9, 2, 40};
        long[] rest = {7, 3, 11};
        long[] all = {5, 9, 2, 40, 7, 3, 11};
        try (Prefix prefix = ofWords(words, 4);
                NoGradGuard _ = new NoGradGuard()) {
            Tensor behind = new Gpt2(model).forward(model.ids(rest, 1), KvCache.startingWith(prefix.entries()));
            Tensor read =
                    new Gpt2(model).forward(model.ids(all, 1), KvCache.empty(3)).narrow(1, 4, 3);
            assertTrue(distance(behind, read) < 1e-5);
        }
    }

    @Test
    void encodersStartFromGivenVectors() {
        try (Prefix words = ofWords(new int[] {5, 9}, 6)) {
            for (Reparametrization how : Reparametrization.values()) {
                PrefixEncoder encoder = encoder(how, 6);
                assertTrue(encoder.fit(words.vectors()) < 1e-4, how.toString());
                assertTrue(distance(encoder.forward(), words.vectors()) < 1e-4, how.toString());
            }
        }
    }

    @Test
    void gradientsOfEncodersAreThoseOfAutograd() {
        for (Reparametrization how : Reparametrization.values()) {
            PrefixEncoder encoder = encoder(how, 6);
            Tensor vectors = encoder.forward();
            Tensor dVectors = torch.randn_like(vectors);
            vectors.backward(dVectors, new BoolOptional(), false, new TensorArrayRefOptional());
            Map<String, Gradient> gradients = encoder.gradients(dVectors);
            assertEquals(encoder.state().keySet(), gradients.keySet());
            encoder.state().forEach((name, parameter) -> {
                Gradient gradient = gradients.get(name);
                assertTrue(distance(gradient.dense(), parameter.grad()) < 1e-5, name);
                double norm = torch.norm(parameter.grad()).item_double();
                assertEquals(norm, gradient.norm(), 1e-5 * norm, name);
                assertEquals(norm / 2, gradient.scaled(0.5).norm(), 1e-5 * norm, name);
            });
        }
    }

    private Prefix prefix(PrefixEncoder encoder) {
        return Prefix.of(encoder, PrefixShape.of(encoder.length(), model.config()), model.device());
    }

    @Test
    void splitAndJoinAreInverse() {
        PrefixShape shape = PrefixShape.of(5, model.config());
        Tensor vectors = torch.randn(5, shape.rowWidth());
        assertEquals(0, distance(shape.join(shape.split(vectors)), vectors));
    }

    @Test
    void countsOfParametersEqualTheFormulas() {
        int e = 24;
        int l = 3;
        assertEquals(6L * 2 * l * e, encoder(Reparametrization.DIRECT, 6).parameterCount());
        assertEquals(
                6L * e + 16L * e + 16 + 16L * 2 * l * e + 2 * l * e,
                encoder(Reparametrization.MLP, 6).parameterCount());
    }

    @Test
    void theStoredFileAloneReproducesTheOutputs() {
        List<int[]> prompts = List.of(new int[] {3, 4, 5}, new int[] {9});
        PrefixEncoder encoder = encoder(Reparametrization.MLP, 4);
        try (Prefix prefix = prefix(encoder)) {
            Method method = new PrefixTuning(new Vectors(4, Reparametrization.MLP, 16));
            AdapterFolder.save(
                    method,
                    Map.of(SoftPromptTuner.VECTORS, prefix.vectors()),
                    model.config(),
                    temporary.resolve("a"),
                    "base",
                    Optional.empty());
            Conditioned loaded = AdapterFolder.apply(temporary.resolve("a"), model);
            assertTrue(loaded.prompt().activations().equal(prefix.vectors()));
            assertEquals(
                    new Generator(model, Optional.of(prefix)).generate(prompts, new Decoding.Greedy(), 8),
                    new Generator(loaded).generate(prompts, new Decoding.Greedy(), 8));
        }
    }

    @Test
    void rejectsPrefixOfAnotherWidth() {
        InputException read = assertThrows(
                InputException.class, () -> AdapterFolder.apply(Path.of("tests/resources/parity/odd/adapter"), model));
        assertEquals(
                "tests/resources/parity/odd/adapter: an adapter of another model: expected 3 layers, 2 heads and width"
                        + " 24, found 2 layers, 3 heads and width 12",
                read.getMessage());
        PrefixShape odd = new PrefixShape(2, 2, 3, 4);
        try (Prefix prefix = new Prefix(odd, torch.zeros(2, odd.rowWidth()), model.device())) {
            InputException e = assertThrows(InputException.class, () -> new Generator(model, Optional.of(prefix)));
            assertEquals(
                    "prefix: a prefix of another model: expected 3 layers, 2 heads and width 24,"
                            + " found 2 layers, 3 heads and width 12",
                    e.getMessage());
        }
    }

    /** Every way of decoding against reading the whole text anew for each token. */
    @Test
    void cachedDecodingEqualsUncached() {
        int[] prompt = {3, 4, 5, 6};
        try (Prefix prefix = prefix(encoder(Reparametrization.MLP, 4));
                NoGradGuard _ = new NoGradGuard()) {
            List<Long> ids = new ArrayList<>(List.of(3L, 4L, 5L, 6L));
            List<Integer> expected = new ArrayList<>();
            for (int i = 0; i < 10; i++) {
                try (TensorScope _ = new TensorScope()) {
                    Tensor hidden = new Gpt2(model)
                            .forward(
                                    model.ids(
                                            ids.stream()
                                                    .mapToLong(Long::longValue)
                                                    .toArray(),
                                            1),
                                    KvCache.startingWith(prefix.entries()));
                    Tensor last = new Gpt2(model).logits(hidden.narrow(1, ids.size() - 1, 1));
                    int next = (int) torch.argmax(last.view(-1)).item_long();
                    if (next == model.config().eos()) {
                        break;
                    }
                    expected.add(next);
                    ids.add((long) next);
                }
            }
            Generator generator = new Generator(model, Optional.of(prefix));
            List<int[]> besideOthers = List.of(prompt, new int[] {8, 1, 2, 3, 4, 5, 6, 7, 8}, new int[] {2});
            for (Decoding how : List.of(
                    new Decoding.Greedy(),
                    new Decoding.BeamSearch(1, 1),
                    new Decoding.Sampling(1, 1, 1),
                    new Decoding.Sampling(0.7, 0, 1e-6))) {
                int[] found =
                        generator.generate(besideOthers, how, 10).getFirst().ids();
                assertEquals(expected, java.util.Arrays.stream(found).boxed().toList(), how.toString());
            }
        }
    }

    @Test
    void samplingDrawsFromTheNucleusInProportion() {
        Generator generator = new Generator(model, Optional.empty());
        List<int[]> prompts = java.util.Collections.nCopies(4_000, new int[] {3, 4, 5});
        double[] probabilities = new double[97];
        try (NoGradGuard _ = new NoGradGuard()) {
            Tensor logits = new Gpt2(model)
                    .logits(new Gpt2(model)
                            .forward(model.ids(new long[] {3, 4, 5}, 1), KvCache.empty(3))
                            .narrow(1, 2, 1));
            Tensor p = torch.softmax(logits.view(-1), 0);
            for (int i = 0; i < 97; i++) {
                probabilities[i] = p.get(i).item_double();
            }
        }
        int[] order = java.util.stream.IntStream.range(0, 97)
                .boxed()
                .sorted((a, b) -> Double.compare(probabilities[b], probabilities[a]))
                .mapToInt(Integer::intValue)
                .toArray();
        double mass = 0;
        int kept = 0;
        while (mass < 0.5) {
            mass += probabilities[order[kept++]];
        }
        int[] counts = new int[97];
        for (var result : generator.generate(prompts, new Decoding.Sampling(1, 0, 0.5), 1)) {
            counts[result.ids().length == 0 ? 96 : result.ids()[0]]++;
        }
        for (int rank = 0; rank < 97; rank++) {
            double expected = rank < kept ? probabilities[order[rank]] / mass : 0;
            assertEquals(expected, counts[order[rank]] / 4000.0, expected == 0 ? 0 : 0.04, "rank " + rank);
        }
    }

    @Test
    void noNgramOccursTwiceWhereThatIsForbidden() {
        Generator generator = new Generator(model, Optional.empty());
        List<int[]> prompts = List.of(new int[] {3, 4, 5}, new int[] {8, 1}, new int[] {2});
        for (int n = 1; n <= 3; n++) {
            int size = n;
            int repeating = 0;
            for (Decoding how : List.of(
                    new Decoding.Greedy(),
                    new Decoding.BeamSearch(1, 1),
                    new Decoding.BeamSearch(4, 1),
                    new Decoding.Sampling(0.2, 0, 1))) {
                repeating += generator.generate(prompts, how, OutputRules.exactly(30)).stream()
                        .mapToInt(one -> repeats(one.ids(), size) ? 1 : 0)
                        .sum();
                for (var one :
                        generator.generate(prompts, how, new OutputRules(30, 30, n, OutputRules.Counted.OUTPUT))) {
                    assertEquals(30, one.ids().length, how.toString());
                    assertFalse(repeats(one.ids(), n), how + ", " + n + ": " + java.util.Arrays.toString(one.ids()));
                }
            }
            assertTrue(repeating > 0, "the test says nothing if no output repeats by itself");
        }
        OutputRules rules = new OutputRules(20, 0, 2, OutputRules.Counted.OUTPUT);
        List<Generation> greedy = generator.generate(prompts, new Decoding.Greedy(), rules);
        List<Generation> beam = generator.generate(prompts, new Decoding.BeamSearch(1, 1), rules);
        for (int i = 0; i < prompts.size(); i++) {
            assertArrayEquals(greedy.get(i).ids(), beam.get(i).ids());
        }
    }

    @Test
    void longerOutputsGainLessWhereThePromptCounts() {
        Generator generator = new Generator(model, Optional.empty());
        int own = 0;
        int both = 0;
        for (int i = 0; i < 30; i++) {
            List<int[]> prompts =
                    List.of(java.util.stream.IntStream.range(i, i + 10 + i % 7).toArray());
            int plain = generator
                    .generate(prompts, new Decoding.BeamSearch(6, 1), 12)
                    .getFirst()
                    .ids()
                    .length;
            int counted = generator
                    .generate(prompts, new Decoding.BeamSearch(6, 1, true), 12)
                    .getFirst()
                    .ids()
                    .length;
            assertTrue(counted <= plain, counted + " tokens, " + plain);
            own += plain;
            both += counted;
            assertArrayEquals( // what is divided by is 1 in both
                    generator
                            .generate(prompts, new Decoding.BeamSearch(6, 0), 12)
                            .getFirst()
                            .ids(),
                    generator
                            .generate(prompts, new Decoding.BeamSearch(6, 0, true), 12)
                            .getFirst()
                            .ids());
        }
        assertTrue(both < own, "the test says nothing if no output differs: " + own);
    }

    @Test
    void whatIsForbiddenIsInNoOutput() {
        Generator generator = new Generator(model, Optional.empty());
        List<int[]> prompts = List.of(new int[] {3, 4, 5}, new int[] {8, 1});
        for (Decoding how :
                List.of(new Decoding.Greedy(), new Decoding.BeamSearch(4, 1), new Decoding.Sampling(1, 0, 1))) {
            java.util.Set<Integer> used = new java.util.HashSet<>();
            generator
                    .generate(prompts, how, OutputRules.exactly(20))
                    .forEach(one -> java.util.Arrays.stream(one.ids()).forEach(used::add));
            for (Generation one :
                    generator.generate(prompts, how, new OutputRules(20, 20, 0, OutputRules.Counted.ALL, 1, used))) {
                assertTrue(java.util.Arrays.stream(one.ids()).noneMatch(used::contains), how.toString());
            }
        }
    }

    private static boolean repeats(int[] ids, int n) {
        java.util.Set<List<Integer>> seen = new java.util.HashSet<>();
        List<Integer> all = java.util.Arrays.stream(ids).boxed().toList();
        for (int i = 0; i + n <= ids.length; i++) {
            if (!seen.add(all.subList(i, i + n))) {
                return true;
            }
        }
        return false;
    }

    @Test
    void tooLongSequencesAreRefusedWithTheBudget() {
        try (Prefix prefix = prefix(encoder(Reparametrization.DIRECT, 10))) {
            Generator generator = new Generator(model, Optional.of(prefix));
            InputException e = assertThrows(
                    InputException.class, () -> generator.generate(List.of(new int[40]), new Decoding.Greedy(), 15));
            assertEquals(
                    "too long for the model: 10 positions of prefix + 40 of tokens + 15 to generate = 65, the model"
                            + " has 64",
                    e.getMessage());
            assertEquals(
                    1,
                    generator
                            .generate(List.of(new int[40]), new Decoding.Greedy(), 14)
                            .size());
        }
    }
}
