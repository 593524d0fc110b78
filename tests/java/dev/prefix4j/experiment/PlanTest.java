package dev.prefix4j.experiment;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.prefix4j.InputException;
import dev.prefix4j.report.SweepPage;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class PlanTest {
    private static final String PLAN = """
        name: lengths
        train: {model: M, steps: 10, lr: 1e-3}
        test: T
        metrics: [bleu]
        variants:
          - {name: Full prefix, method: prefix}
          - {name: embedding, method: embedding, lr: 1e-2}
        grid: {prefix-length: [1, 5], seed: [1, 2]}
        """;

    @TempDir
    Path folder;

    private Plan plan(String yaml) throws IOException {
        return Plan.read(Files.writeString(folder.resolve("plan.yaml"), yaml));
    }

    @Test
    void everyVariantMeetsEveryPointOfTheGrid() throws IOException {
        List<Plan.Run> runs = plan(PLAN).runs();
        assertEquals(8, runs.size());
        assertEquals(8, runs.stream().map(Plan.Run::folder).distinct().count());
        assertEquals("full-prefix_prefix-length-1_seed-1", runs.getFirst().folder());
        assertEquals(
                Map.of(
                        "model",
                        "M",
                        "steps",
                        "10",
                        "lr",
                        "0.01",
                        "method",
                        "embedding",
                        "prefix-length",
                        "5",
                        "seed",
                        "2"),
                runs.getLast().options());
    }

    @Test
    void numbersStayPlain() throws IOException {
        Plan plan = plan("train: {weight-decay: 1.0, steps: 100}\ntest: T\ngrid: {lr: [3e-4, 1.5e-3, 0.1, 1e2]}\n");
        assertEquals(
                List.of("0.0003", "0.0015", "0.1", "100"),
                plan.runs().stream().map(run -> run.point().get("lr")).toList());
        assertEquals("1.0", plan.train().get("weight-decay"));
    }

    private static SweepPage.Score score(Results.Curves curves) {
        return new SweepPage.Score(
                "bleu", true, curves.axis(), curves.ticks(), curves.lines(), curves.deviations(), curves.variants());
    }

    @Test
    void namesKeepTheTableWhole() throws IOException {
        Plan plan = plan("test: T\nvariants:\n  - {name: \"a | b\\nc\", method: prefix}\n");
        assertTrue(plan.runs().size() == 1
                && new Results(plan, Map.of()).markdown().contains("| a \\| b c | 0 |"));
    }

    @Test
    void seedsAreTakenTogether() throws IOException {
        Plan plan = plan(PLAN);
        ObjectMapper json = new ObjectMapper();
        Map<String, JsonNode> results = new java.util.LinkedHashMap<>();
        for (Plan.Run run : plan.runs().subList(0, 3)) {
            double bleu = run.point().get("seed").equals("1") ? 10 : 20;
            results.put(
                    run.folder(),
                    json.readTree(
                            "{\"train\": {\"valid_loss\": 2.5}, \"train_seconds\": 30, \"scores\": {\"bleu\": %s}}"
                                    .formatted(bleu)));
        }
        Results found = new Results(plan, results);
        assertEquals(
                List.of("variant", "prefix-length", "runs", "train s", "valid loss", "bleu"),
                found.table().get(0));
        assertEquals(
                List.of("Full prefix", "1", "2", "30 ± 0", "2.5000 ± 0.0000", "15.00 ± 7.07"),
                found.table().get(1));
        assertEquals(
                List.of("Full prefix", "5", "1", "30", "2.5000", "10.00"),
                found.table().get(2));
        assertEquals(List.of("embedding", "1", "0", "", "", ""), found.table().get(3));
        assertTrue(found.markdown().contains("3 of 8 runs."));
        assertEquals(4, found.csv().lines().count());
        assertEquals(List.of(15.0, 10.0), found.curves("bleu").lines().get("Full prefix"));
        assertEquals(
                List.of(Math.sqrt(50), 0.0), found.curves("bleu").deviations().get("Full prefix"));
        Results.Curves curves = new Results(
                        plan,
                        Map.of(
                                plan.runs().getFirst().folder(),
                                results.get(plan.runs().getFirst().folder())))
                .curves("bleu");
        assertTrue(SweepPage.plot(score(curves)).length > 0, "a line with a gap");
    }

    @Test
    void claimsAreSeenOrNot() throws IOException {
        Plan plan = plan(PLAN
                + "claims: [Full prefix > embedding, \"bleu: embedding >= Full prefix\", embedding steadier"
                + " than Full prefix]\n");
        ObjectMapper json = new ObjectMapper();
        Map<String, JsonNode> results = new java.util.LinkedHashMap<>();
        for (Plan.Run run : plan.runs()) {
            double bleu = run.variant().equals("embedding")
                    ? 10
                    : run.point().get("seed").equals("1") ? 5 : 21;
            results.put(
                    run.folder(),
                    json.readTree("{\"scores\": {\"bleu\": %s}}"
                            .formatted(bleu + (run.point().get("prefix-length").equals("5") ? -4 : 0))));
        }
        assertEquals(
                List.of(
                        List.of("expected", "where", "seen", "means", "seeds"),
                        List.of("Full prefix > embedding", "prefix-length 1", "seen", "13.00 and 10.00", "in 1 of 2"),
                        List.of("Full prefix > embedding", "prefix-length 5", "seen", "9.000 and 6.000", "in 1 of 2"),
                        List.of(
                                "bleu: embedding >= Full prefix",
                                "prefix-length 1",
                                "not seen",
                                "10.00 and 13.00",
                                "in 1 of 2"),
                        List.of(
                                "bleu: embedding >= Full prefix",
                                "prefix-length 5",
                                "not seen",
                                "6.000 and 9.000",
                                "in 1 of 2"),
                        List.of(
                                "embedding steadier than Full prefix",
                                "over prefix-length",
                                "not seen",
                                "range 4.000 and 4.000",
                                "")),
                new Results(plan, results).claims());
        assertEquals(
                List.of("Full prefix > embedding", "prefix-length 1", "open", "", ""),
                new Results(plan, Map.of()).claims().get(1));
        assertEquals("open", new Results(plan, Map.of()).claims().getLast().get(2));
    }

    @Test
    void everyTestHasItsOwnScores() throws IOException {
        Plan plan = plan("test: {seen: A, unseen: B}\nmetrics: [bleu, ter]\n");
        assertEquals(List.of("bleu-seen", "ter-seen", "bleu-unseen", "ter-unseen"), plan.scores());
        Plan.Run run = plan.runs().getFirst();
        JsonNode result = new ObjectMapper().readTree("{\"scores\": {\"bleu-seen\": 3, \"ter-unseen\": 4}}");
        Results found = new Results(plan, Map.of(run.folder(), result));
        assertEquals(
                List.of("run", "1", "", "", "3.000", "", "", "4.000"),
                found.table().get(1));
    }

    @Test
    void aPlanWithNothingButSeedsHasAPlotToo() throws IOException {
        Plan plan = plan(PLAN.replace("prefix-length: [1, 5], ", ""));
        JsonNode result = new ObjectMapper().readTree("{\"scores\": {\"bleu\": 3}}");
        Results.Curves curves = new Results(plan, Map.of(plan.runs().getFirst().folder(), result)).curves("bleu");
        byte[] png = SweepPage.plot(score(curves));
        assertEquals("PNG", new String(png, 1, 3, java.nio.charset.StandardCharsets.US_ASCII));
        Results none = new Results(plan, Map.of());
        assertEquals(0, SweepPage.plot(score(none.curves("bleu"))).length);
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "grid: {seed: 1}|key 'grid.seed': expected a list, found 1",
                "grid: {seed: [1, 1]}|key 'grid.seed': expected different values, found [1,1]",
                "grid: {Out: [1]}|key 'grid': expected an option such as prefix-length, found 'Out'",
                "train: {out: x}|key 'train': expected no 'out'",
                "test: {A: x}|key 'test.A': expected a name in lower case and a data file",
                "claims: [a is better]|key 'claims': expected 'A > B'",
                "claims: [run > other]|with A and B from [run], optionally preceded by one of [bleu] and ': ',"
                        + " found \"run > other\"",
                "claims: ['ter: run > run']|key 'claims': expected 'A > B'",
                "claims: [run steadier than run]|key 'claims': expected a grid with several values",
                "metrics: []|key 'metrics': expected at least one, found []",
                "'grid: {init-words: [\"a b\", a-b]}'|found two runs 'run_init-words-a-b'",
                "'variants: [{name: \"+\"}]'|that differ in their letters or digits, found two runs",
                "variants: []|key 'variants': expected a list of maps, found []",
                "variants: [{method: prefix}]|key 'variants': expected a different name for each",
                "steps: 3|key 'steps': expected a key among",
                "train: {lr: [1]}|key 'train.lr': expected a number, a string, true or false, found [1]",
                "train: {lr: 1|invalid YAML"
            })
    void badPlansAreRefusedWithTheKey(String line, String message) {
        InputException e = assertThrows(
                InputException.class, () -> plan((line.startsWith("test") ? "" : "test: T\n") + line + "\n"));
        assertTrue(e.getMessage().contains(message), e.getMessage());
        assertTrue(e.getMessage().startsWith(folder.resolve("plan.yaml").toString()), e.getMessage());
    }

    @Test
    void namesDecideWhereAClaimIsSplit() {
        List<String> names = List.of("x > y", "z", "bleu: a");
        assertEquals(
                "x > y",
                Claim.parse("x > y > z", names, List.of("bleu", "ter"))
                        .orElseThrow()
                        .left());
        assertEquals(
                "bleu",
                Claim.parse("bleu: a < z", names, List.of("bleu", "ter"))
                        .orElseThrow()
                        .score());
        assertEquals(
                "bleu: a",
                Claim.parse("ter: bleu: a < z", names, List.of("bleu", "ter"))
                        .orElseThrow()
                        .left());
        assertTrue(Claim.parse("ter: z < a", names, List.of("bleu", "ter")).isEmpty());
    }

    @Test
    void bytesThatAreNotTextAreRefused() throws IOException {
        Path file = Files.write(folder.resolve("plan.yaml"), new byte[] {(byte) 0xff, 'a', 10});
        InputException e = assertThrows(InputException.class, () -> Plan.read(file));
        assertTrue(
                e.getMessage().contains("plan.yaml: cannot be read: expected UTF-8 text, found other bytes"),
                e.getMessage());
        Path binary = Files.write(folder.resolve("plan.yaml"), new byte[] {(byte) 0xff, 0, 1});
        e = assertThrows(InputException.class, () -> Plan.read(binary));
        assertTrue(e.getMessage().contains("plan.yaml: expected a plan in YAML, found binary data"), e.getMessage());
    }

    @Test
    void plansThatComeAlongCanBeRead() throws IOException {
        try (Stream<Path> plans = Files.list(Path.of("scripts/plans"))) {
            for (Path plan : plans.toList()) {
                assertTrue(!Plan.read(plan).runs().isEmpty(), plan.toString());
            }
        }
    }

    @Test
    void aSweepAnswersEachSourceOnce() throws IOException {
        Path file = folder.resolve("plan.yaml");
        Files.writeString(file, "test: T\ngenerate: {distinct: true, beams: 2}\n");
        assertEquals(java.util.Map.of("beams", "2"), Plan.read(file).generate());
        Files.writeString(file, "test: T\ngenerate: {distinct: false}\n");
        assertEquals(
                file
                        + ": key 'generate.distinct': expected true, because a sweep generates once for each source,"
                        + " found false",
                assertThrows(InputException.class, () -> Plan.read(file)).getMessage());
        Files.writeString(file, "test: T\ngenerate: {data: X}\n");
        assertThrows(InputException.class, () -> Plan.read(file));
    }

    @Test
    void numbersThatNobodyCanWriteOutAreRefused() throws IOException {
        Path file = folder.resolve("plan.yaml");
        for (String number : new String[] {"1e1000000000", "1.5e-1000000000"}) {
            Files.writeString(file, "test: T\ntrain: {lr: " + number + "}\n");
            String message =
                    assertThrows(InputException.class, () -> Plan.read(file)).getMessage();
            assertTrue(message.startsWith(file + ": key 'train.lr': expected a number of at most 100 digits"), message);
        }
    }
}
