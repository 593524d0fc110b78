package dev.prefix4j.generate;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.prefix4j.InputException;
import dev.prefix4j.model.BaseModel;
import dev.prefix4j.model.Checkpoint;
import dev.prefix4j.model.KvCache;
import dev.prefix4j.model.gpt2.Gpt2;
import dev.prefix4j.torch.TensorScope;
import dev.prefix4j.torch.TorchRuntime;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.StreamSupport;
import org.bytedeco.javacpp.LongPointer;
import org.bytedeco.pytorch.Device;
import org.bytedeco.pytorch.NoGradGuard;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Against Transformers' generate(), with the built-in model; right values from scripts/fixtures/decoding.py. */
class DecodingTest {
    private TensorScope scope;
    private BaseModel model;
    private Generator generator;
    private JsonNode expected;

    @BeforeEach
    void load() throws Exception {
        TorchRuntime.start(TorchRuntime.Options.defaults());
        TorchRuntime.seed(7);
        scope = new TensorScope();
        model = Checkpoint.load(Path.of("src/core/resources/dev/prefix4j/builtin/tiny"), new Device("cpu"));
        generator = new Generator(model, Optional.empty());
        expected = new ObjectMapper()
                .readTree(Path.of("tests/resources/parity/decoding.json").toFile());
    }

    @AfterEach
    void close() {
        scope.close();
    }

    private static int[] ids(JsonNode node) {
        return StreamSupport.stream(node.spliterator(), false)
                .mapToInt(JsonNode::asInt)
                .toArray();
    }

    @Test
    void penaltyNgramsAndBestBeamsAreThoseOfTransformers() {
        for (JsonNode one : expected.path("cases")) {
            JsonNode options = one.path("options");
            int beams = options.path("num_beams").asInt(1);
            int count = options.path("num_return_sequences").asInt(1);
            OutputRules rules = new OutputRules(
                    20,
                    options.path("min_new_tokens").asInt(0),
                    options.path("no_repeat_ngram_size").asInt(0),
                    OutputRules.Counted.ALL,
                    options.path("repetition_penalty").asDouble(1),
                    Set.of());
            List<int[]> prompts = StreamSupport.stream(one.path("outputs").spliterator(), false)
                    .map(output -> ids(output.path("prompt")))
                    .toList(); // together, of different lengths
            Decoding how = beams == 1 ? new Decoding.Greedy() : new Decoding.BeamSearch(beams, 1);
            List<List<Generation>> found = generator.generate(prompts, how, rules, count);
            for (int i = 0; i < prompts.size(); i++) {
                JsonNode right = one.path("outputs").path(i);
                assertEquals(count, found.get(i).size());
                for (int rank = 0; rank < count; rank++) {
                    Generation output = found.get(i).get(rank);
                    assertArrayEquals(
                            ids(right.path("ids").path(rank)),
                            output.ids(),
                            options + ", prompt " + i + ", rank " + rank);
                    if (beams > 1) {
                        assertEquals(
                                right.path("scores").path(rank).asDouble(), output.score(), 1e-4, options.toString());
                    }
                }
            }
        }
    }

    @Test
    void samplesComeFromTransformersDistributionInProportion() {
        for (JsonNode one : expected.path("sampling")) {
            Decoding.Sampling how = new Decoding.Sampling(
                    one.path("temperature").asDouble(),
                    one.path("top_k").asInt(),
                    one.path("top_p").asDouble(),
                    one.path("min_p").asDouble());
            int draws = 2_000;
            JsonNode probabilities = one.path("probabilities");
            int[] counts = new int[8192];
            int[] prompt = ids(one.path("prompt"));
            try (TensorScope _ = new TensorScope();
                    NoGradGuard _ = new NoGradGuard()) {
                Tensor hidden = new Gpt2(model)
                        .forward(
                                model.ids(Arrays.stream(prompt).asLongStream().toArray(), 1),
                                KvCache.empty(model.config().layers()));
                Tensor logits = new Gpt2(model).logits(hidden.select(1, prompt.length - 1)); // [1, V]
                Tensor drawn = Sampler.draw(how, logits.expand(draws, 8192)); // [draws]
                long[] tokens = new long[draws];
                new LongPointer(drawn.contiguous().data_ptr()).get(tokens);
                for (long token : tokens) {
                    assertTrue(probabilities.has(Long.toString(token)), token + " is not among the kept: " + how);
                    counts[(int) token]++;
                }
            }
            for (Generation output :
                    generator.generate(List.of(prompt, prompt), how, OutputRules.exactly(1), 3).stream()
                            .flatMap(List::stream)
                            .toList()) {
                assertTrue(probabilities.has(Integer.toString(output.ids()[0])), how.toString());
            }
            probabilities
                    .properties()
                    .forEach(entry -> assertEquals(
                            entry.getValue().asDouble(),
                            counts[Integer.parseInt(entry.getKey())] / (double) draws,
                            0.05,
                            how.toString()));
        }
    }

    @Test
    void extremeSettingsKeepTheLikeliestToken() {
        try (TensorScope _ = new TensorScope()) {
            Tensor logits = torch.arange(new Scalar(8.0)).unsqueeze(0); // [1, V]
            for (Decoding.Sampling how : List.of(
                    new Decoding.Sampling(1, 0, Double.MIN_VALUE, 0),
                    new Decoding.Sampling(1, 0, 1e-40, 0),
                    new Decoding.Sampling(1e-4, 0, 1, 0),
                    new Decoding.Sampling(1e-4, 0, Double.MIN_VALUE, 1),
                    new Decoding.Sampling(1000, 1, 1, 0))) {
                assertEquals(7, Sampler.draw(how, logits).item_long(), how.toString());
            }
        }
    }

    @Test
    void scoreOfASampleIsTheModelsOwnLogProbability() {
        int[] prompt = ids(expected.path("sampling").path(0).path("prompt"));
        Decoding cut = new Decoding.Sampling(2, 5, 0.9, 0.1);
        for (Generation sample : generator
                .generate(List.of(prompt), cut, OutputRules.exactly(6), 3)
                .getFirst()) {
            double sum = 0;
            int[] before = prompt;
            for (int token : sample.ids()) { // each token is forced: all others are forbidden
                Set<Integer> others = IntStream.range(0, 8192)
                        .filter(other -> other != token)
                        .boxed()
                        .collect(Collectors.toSet());
                OutputRules rules = new OutputRules(1, 1, 0, OutputRules.Counted.ALL, 1, others);
                sum += generator
                        .generate(List.of(before), new Decoding.Greedy(), rules)
                        .getFirst()
                        .score();
                before = Arrays.copyOf(before, before.length + 1);
                before[before.length - 1] = token;
            }
            assertEquals(sum, sample.score(), 1e-3);
            assertTrue(sum < -1, "cuts and temperature do not count: " + sum);
        }
    }

    @Test
    void outputMayRepeatItsSourceWhereTheOutputAloneCounts() {
        int[] prompt = ids(expected.path("sampling").path(0).path("prompt"));
        OutputRules own = new OutputRules(20, 0, 2, OutputRules.Counted.OUTPUT);
        OutputRules both = new OutputRules(20, 0, 2, OutputRules.Counted.ALL);
        int[] output = generator
                .generate(List.of(prompt), new Decoding.Greedy(), own)
                .getFirst()
                .ids();
        int[] other = generator
                .generate(List.of(prompt), new Decoding.Greedy(), both)
                .getFirst()
                .ids();
        assertTrue(sharesBigram(prompt, output));
        assertFalse(sharesBigram(prompt, other));
    }

    private static boolean sharesBigram(int[] prompt, int[] output) {
        String text = Arrays.toString(prompt).replaceAll("[\\[\\]]", ",").replace(" ", "");
        for (int i = 0; i + 1 < output.length; i++) {
            if (text.contains("," + output[i] + "," + output[i + 1] + ",")) {
                return true;
            }
        }
        return false;
    }

    @Test
    void moreOutputsThanThereAreAreRefused() {
        List<int[]> prompts = Collections.singletonList(new int[] {1});
        OutputRules rules = OutputRules.atMost(2);
        assertThrows(InputException.class, () -> generator.generate(prompts, new Decoding.Greedy(), rules, 2));
        assertThrows(InputException.class, () -> generator.generate(prompts, new Decoding.BeamSearch(3, 1), rules, 4));
    }
}
