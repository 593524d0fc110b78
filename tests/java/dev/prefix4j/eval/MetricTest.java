package dev.prefix4j.eval;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.prefix4j.InputException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.EnumSet;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.stream.Stream;
import java.util.stream.StreamSupport;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

class MetricTest {
    private static final JsonNode FIXTURE = fixture();

    private static JsonNode fixture() {
        try {
            return new ObjectMapper()
                    .readTree(Path.of("tests/resources/eval/metrics.json").toFile());
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static List<String> texts(JsonNode list) {
        List<String> texts = new ArrayList<>();
        list.forEach(node -> texts.add(node.asText()));
        return texts;
    }

    private static List<List<String>> references(JsonNode list) {
        return StreamSupport.stream(list.spliterator(), false)
                .map(MetricTest::texts)
                .toList();
    }

    private static double score(Metric metric, List<String> outputs, List<List<String>> references) {
        Scorer scorer = metric.over(references, Bleu.DEFAULT);
        return scorer.corpus(scorer.statistics(outputs));
    }

    private static double score(Metric metric, String output, String... references) {
        return score(metric, List.of(output), List.of(List.of(references)));
    }

    static Stream<Arguments> cases() {
        return StreamSupport.stream(FIXTURE.path("cases").spliterator(), false)
                .map(node -> Arguments.of(node.path("name").asText(), node));
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("cases")
    void chrfAndTerEqualSacreBleu(String name, JsonNode expected) {
        List<String> outputs = texts(expected.path("hyps"));
        List<List<String>> references = references(expected.path("refs"));
        assertEquals(expected.path("chrf").asDouble(), score(Metric.CHRF, outputs, references), 1e-9);
        assertEquals(expected.path("ter").asDouble(), score(Metric.TER, outputs, references), 1e-9);
        assertEquals(texts(expected.path("edits")), edits(outputs, references));
    }

    private static List<String> edits(List<String> outputs, List<List<String>> references) {
        double[][] rows = Metric.TER.over(references, Bleu.DEFAULT).statistics(outputs);
        return Stream.of(rows).map(row -> String.valueOf((int) row[0])).toList();
    }

    @Test
    void theSampleEqualsSacreBleuAndTheDefinitionsOfTheE2eMetrics() {
        JsonNode sample = FIXTURE.path("sample");
        List<String> outputs = texts(sample.path("first"));
        List<List<String>> references = references(sample.path("refs"));
        assertEquals(60, outputs.size());
        for (Metric metric :
                List.of(Metric.CHRF, Metric.TER, Metric.E2E_BLEU, Metric.NIST, Metric.COCO_ROUGE_L, Metric.CIDER)) {
            assertEquals(
                    sample.path("scores").path(metric.key()).asDouble(),
                    score(metric, outputs, references),
                    1e-9,
                    metric.key());
        }
        assertEquals(texts(sample.path("scores").path("edits")), edits(outputs, references));
    }

    @Test
    void splitsWordsAsTheStanfordTokenizer() {
        for (JsonNode node : FIXTURE.path("tokens")) {
            String text = node.path("text").asText();
            assertEquals(texts(node.path("words")), PtbTokenizer.cocoWords(text), text);
        }
    }

    @Test
    void intervalsAndTestsAgreeWithSacreBleu() {
        JsonNode sample = FIXTURE.path("sample");
        List<List<String>> references = references(sample.path("refs"));
        Resampling resampling = new Resampling(10_000, 10_000, 12345);
        for (Metric metric : List.of(Metric.BLEU, Metric.CHRF, Metric.TER)) {
            JsonNode expected = sample.path("significance").path(metric.key());
            Scorer scorer = metric.over(references, Bleu.DEFAULT);
            double[][] first = scorer.statistics(texts(sample.path("first")));
            double[][] second = scorer.statistics(texts(sample.path("second")));
            double[] one = resampling.bootstrap(scorer, first);
            double[] other = resampling.bootstrap(scorer, second);
            Resampling.Interval interval = Resampling.interval(other);
            double half = expected.path("bs").path("half_interval").asDouble();
            assertEquals(half, (interval.high() - interval.low()) / 2, 0.05 * half, metric.key());
            // Both are counts of random draws: four standard errors of their difference.
            double difference = scorer.corpus(first) - scorer.corpus(second);
            near(expected.path("bs").path("p").asDouble(), Resampling.pairedBootstrap(difference, one, other), metric);
            near(expected.path("ar").path("p").asDouble(), resampling.randomization(scorer, first, second), metric);
        }
    }

    private static void near(double expected, double found, Metric metric) {
        double error = Math.sqrt(2 * Math.max(expected, 1e-3) * (1 - expected) / 10_000);
        assertEquals(expected, found, 4 * error, metric.key());
    }

    /** Of the 8 ways to swap 3 segments, 2 give the difference that was found. */
    @ParameterizedTest
    @EnumSource
    void fewSegmentsShowLittle(Metric metric) {
        JsonNode sample = FIXTURE.path("sample");
        Scorer scorer =
                metric.over(references(sample.path("refs")).stream().limit(3).toList(), Bleu.DEFAULT);
        double[][] first = scorer.statistics(texts(sample.path("first")).subList(0, 3));
        double[][] second = scorer.statistics(texts(sample.path("second")).subList(0, 3));
        double p = new Resampling(100, 1000, 1).randomization(scorer, first, second);
        assertTrue(p > 0.2, metric.key() + ": " + p);
    }

    @ParameterizedTest
    @EnumSource
    void outputsAreNotDifferentFromThemselves(Metric metric) {
        JsonNode sample = FIXTURE.path("sample");
        Scorer scorer = metric.over(references(sample.path("refs")), Bleu.DEFAULT);
        double[][] rows = scorer.statistics(texts(sample.path("first")));
        Resampling resampling = new Resampling(100, 100, 1);
        double[] scores = resampling.bootstrap(scorer, rows);
        assertEquals(1, Resampling.pairedBootstrap(0, scores, scores), 1e-12);
        assertEquals(1, resampling.randomization(scorer, rows, rows), 1e-12);
        Resampling.Interval interval = Resampling.interval(scores);
        assertTrue(interval.low() <= interval.high());
        assertEquals(interval, Resampling.interval(resampling.bootstrap(scorer, rows))); // the seed decides
    }

    @ParameterizedTest
    @EnumSource
    void emptyAndShortOutputsHaveAScore(Metric metric) {
        for (String output : List.of("", " ", ".", "Thai", "…", "-LRB-")) {
            double score = score(
                    metric,
                    List.of(output, "The Mill serves Thai food."),
                    List.of(List.of("Thai food"), List.of("The Mill.", "A mill, Thai")));
            assertTrue(Double.isFinite(score) && score >= 0, output + " " + score);
            double alone = score(metric, output, "Thai food");
            assertTrue(Double.isFinite(alone) && alone >= 0, output + " " + alone);
        }
        assertTrue(Double.isFinite(score(metric, "Thai food", "")));
    }

    @Test
    void theReferenceItselfIsPerfect() {
        List<String> outputs =
                List.of("The Mill serves Thai food by the river.", "Children are very welcome at Zizzi.");
        List<List<String>> references =
                List.of(List.of("Something else entirely.", outputs.get(0)), List.of(outputs.get(1), "No kids there."));
        for (Metric metric : EnumSet.complementOf(EnumSet.of(Metric.NIST, Metric.CIDER))) {
            double perfect = switch (metric) {
                case BLEU, CHRF -> 100;
                case TER -> 0;
                default -> 1;
            };
            assertEquals(perfect, score(metric, outputs, references), 1e-9, metric.key());
        }
    }

    @Test
    void rougeEqualsTheValuesOfItsPublishedTests() {
        assertEquals(1.0 / 2, score(Metric.ROUGE_1, "testing", "testing one two"), 1e-12);
        assertEquals(4.0 / 5, score(Metric.ROUGE_1, "testing one", "testing one two"), 1e-12);
        assertEquals(2.0 / 3, score(Metric.ROUGE_2, "testing one", "testing one two"), 1e-12);
        assertEquals(4.0 / 5, score(Metric.ROUGE_L, "testing two", "testing one two"), 1e-12);
        assertEquals(0, score(Metric.ROUGE_L, "", "testing one two"));
    }

    @Test
    void rougeTakesTheBestReferenceAndIgnoresCaseAndPunctuation() {
        assertEquals(1, score(Metric.ROUGE_2, "THE Mill -- cheap!", "a pub", "the mill: cheap"), 1e-12);
        assertEquals(List.of("the", "caf", "s", "20", "25"), Rouge.words("The Café's £20-25"));
    }

    /** The share of function words' weight is 0.25, that of content words' 0.75. */
    @Test
    void meteorFollowsItsFormula() {
        double precision = 1;
        double recall = (0.25 + 0.75 + 0.75) / (0.25 + 0.75 + 0.75 + 0.25 + 0.75);
        double mean = 1 / (0.15 / precision + 0.85 / recall);
        assertEquals(
                mean * (1 - 0.6 * Math.pow(1.0 / 3, 0.2)),
                score(Metric.METEOR, "the cat sat", "the cat sat on mats"),
                1e-12);
        assertEquals(1 - 0.6, score(Metric.METEOR, "friendly pub", "pub friendly"), 1e-12); // two chunks of two words
    }

    @Test
    void meteorMatchesStemsAndSynonymsForLess() {
        assertEquals((1 + 0.6) / 2, score(Metric.METEOR, "cheap restaurants", "cheap restaurant"), 1e-12);
        assertEquals((1 + 0.8) / 2, score(Metric.METEOR, "friendly kid", "friendly child"), 1e-12);
        assertEquals((1 + 0.8) / 2, score(Metric.METEOR, "friendly kids", "friendly children"), 1e-12); // by base forms
        assertEquals(0, score(Metric.METEOR, "dogs", "restaurant"));
    }

    @Test
    void meteorAlignsMostWordsInFewestChunks() {
        Scorer meteor = Metric.METEOR.over(List.of(List.of("near the river")), Bleu.DEFAULT);
        double[] row = meteor.statistics(0, "the pub near the river"); // the first "the" would break the chunk
        assertEquals(1, row[4]);
        assertEquals(3, row[5]);
    }

    @Test
    void meteorFindsTheBestAlignmentOfAll() {
        Random random = new Random(4);
        for (int i = 0; i < 300; i++) {
            List<String> output = random.ints(random.nextInt(1, 8), 0, 4)
                    .mapToObj(w -> "zb" + w)
                    .toList();
            List<String> reference = random.ints(random.nextInt(1, 8), 0, 4)
                    .mapToObj(w -> "zb" + w)
                    .toList();
            if (output.equals(reference)) {
                continue;
            }
            double[] row = Metric.METEOR
                    .over(List.of(List.of(String.join(" ", reference))), Bleu.DEFAULT)
                    .statistics(0, String.join(" ", output));
            // A thousand for a missing match, one for a chunk.
            int[] best = {Integer.MAX_VALUE};
            tryAll(output, reference, 0, new int[reference.size()], best);
            assertEquals(best[0], 1000 * (reference.size() - (int) row[5]) + (int) row[4], output + " " + reference);
        }
    }

    /** @param outputs for each word of the reference, its word of the output from 1, or 0 */
    private static void tryAll(List<String> output, List<String> reference, int j, int[] outputs, int[] best) {
        if (j == reference.size()) {
            int cost = 0;
            for (int k = 0; k < j; k++) {
                boolean continues = k > 0 && outputs[k - 1] > 0 && outputs[k] == outputs[k - 1] + 1;
                cost += outputs[k] == 0 ? 1000 : continues ? 0 : 1;
            }
            best[0] = Math.min(best[0], cost);
            return;
        }
        for (int i = 0; i <= output.size(); i++) {
            int word = i;
            boolean free = i == 0
                    || output.get(i - 1).equals(reference.get(j))
                            && Arrays.stream(outputs, 0, j).noneMatch(used -> used == word);
            if (free) {
                outputs[j] = i;
                tryAll(output, reference, j + 1, outputs, best);
            }
        }
    }

    @Test
    void wordNetKnowsBaseForms() {
        for (List<String> pair : List.of(
                List.of("children", "child"),
                List.of("serves", "serve"),
                List.of("cheaper", "cheap"),
                List.of("families", "family"),
                List.of("went", "go"),
                List.of("priciest", "pricy"))) {
            assertTrue(
                    WordNet.get().synsets(pair.get(0)).containsAll(WordNet.get().synsets(pair.get(1))),
                    pair.toString());
        }
        assertEquals(Set.of(), WordNet.get().synsets("zzz"));
        assertEquals(Set.of(), WordNet.get().synsets(""));
    }

    @Test
    void meteorSaysWhatItLeavesOut() {
        assertTrue(Metric.METEOR.label().contains("no paraphrases"));
    }

    @Test
    void namesAreReadAndUnknownOnesRefused() {
        assertEquals(EnumSet.allOf(Metric.class), Metric.parse("all"));
        assertEquals(Set.of(Metric.TER, Metric.COCO_ROUGE_L), Metric.parse("ter, COCO-rouge-l"));
        for (String names : List.of("", "bleu,", "rouge", "all,bleu")) {
            InputException e = assertThrows(InputException.class, () -> Metric.parse(names));
            assertTrue(
                    e.getMessage().startsWith("metrics: expected all or some of bleu,e2e-bleu,nist,"), e.getMessage());
        }
    }

    @Test
    void refusesSegmentsWithoutReferences() {
        List<List<String>> references = List.of(List.of("a"), List.of());
        InputException e = assertThrows(InputException.class, () -> Metric.TER.over(references, Bleu.DEFAULT));
        assertEquals("TER: segment 2: expected a reference, found none", e.getMessage());
        assertThrows(InputException.class, () -> Metric.NIST.over(List.of(), Bleu.DEFAULT));
    }

    /** By hand; the first is the example of Lin 2004, section 3.2. */
    @Test
    void rougeLsumTakesTheUnionOverSentences() {
        assertEquals(
                8.0 / 14, // w1 w2 w3 w5 of 5 words and 9
                RougeLsum.f1(
                        List.of(List.of("w1", "w2", "w3", "w4", "w5")),
                        List.of(List.of("w1", "w2", "w6", "w7", "w8"), List.of("w1", "w3", "w8", "w5"))),
                1e-12);
        // A word counts at most as often as the output has it: "a" once.
        assertEquals(2.0 / 3, RougeLsum.f1(List.of(List.of("a"), List.of("a")), List.of(List.of("a"))), 1e-12);
        Scorer scorer = Metric.ROUGE_LSUM.over(List.of(List.of("The ferry sank.\nNobody hurt.")), Bleu.DEFAULT);
        assertEquals(1, scorer.corpus(scorer.statistics(List.of("Nobody hurt.\nThe ferry sank."))), 1e-12);
    }
}
