package dev.prefix4j.train;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.ObjectMapper;
import dev.prefix4j.InputException;
import dev.prefix4j.frozen.FrozenModel;
import dev.prefix4j.frozen.Precision;
import dev.prefix4j.method.AdapterFolder;
import dev.prefix4j.method.Method;
import dev.prefix4j.method.PrefixTuning;
import dev.prefix4j.method.Tuning;
import dev.prefix4j.method.Vectors;
import dev.prefix4j.model.BaseModel;
import dev.prefix4j.model.Checkpoint;
import dev.prefix4j.prefix.PrefixEncoder.Reparametrization;
import dev.prefix4j.text.Sequence;
import dev.prefix4j.torch.NativeMemory;
import dev.prefix4j.torch.ScopedTest;
import dev.prefix4j.torch.TensorScope;
import dev.prefix4j.torch.TorchRuntime;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.function.BooleanSupplier;
import org.bytedeco.pytorch.Tensor;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class TrainerTest extends ScopedTest {
    private static final TrainConfig CONFIG =
            new TrainConfig(24, 0, 4, 1, false, 1e-2, 3, 0.01, 1, false, 0, 0.1, 8, 0, 5, 7);

    private static final Method METHOD = new PrefixTuning(new Vectors(4, Reparametrization.MLP, 16));

    @TempDir
    Path temporary;

    private BaseModel model;

    @BeforeEach
    void load() {
        model = Checkpoint.load(Path.of("tests/resources/parity/tiny/model"), TorchRuntime.device("cpu"));
    }

    /** Sequences whose target repeats one token: easy to learn. */
    private static List<Sequence> sequences(int count, long seed) {
        Random random = new Random(seed);
        List<Sequence> sequences = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            int source = 1 + random.nextInt(8);
            int[] ids = new int[source + 1 + 1 + random.nextInt(8) + 1];
            for (int t = 0; t < ids.length; t++) {
                ids[t] = t < source ? random.nextInt(96) : 11;
            }
            ids[source] = 96;
            ids[ids.length - 1] = 96;
            sequences.add(new Sequence(ids, source + 1));
        }
        return sequences;
    }

    private TrainResult train(RunDirectory run, TrainConfig config, BooleanSupplier stop) {
        return train(run, config, 8, new TrainListener() {}, stop);
    }

    /** With the number of the step as what is written. */
    private TrainResult train(
            RunDirectory run, TrainConfig config, int validation, TrainListener listener, BooleanSupplier stop) {
        Sampler sampler = _ ->
                List.of(new Sample("a", run.metrics().getLast().path("step").toString(), Optional.empty()));
        try (TensorScope _ = new TensorScope()) {
            Tuning tuning = tuning();
            return new Trainer(
                            tuning,
                            config,
                            sequences(40, 1),
                            sequences(validation, 2),
                            run,
                            () -> AdapterFolder.save(
                                    METHOD, tuning.stored(), model.config(), run.adapter(), "m", Optional.empty()))
                    .train(listener, sampler, stop);
        }
    }

    private Tuning tuning() {
        return METHOD.tuning(model, (base, _) -> new FrozenModel(base, Precision.FP32), 3);
    }

    private static RunDirectory create(Path folder) {
        return RunDirectory.create(folder, new ObjectMapper().createObjectNode());
    }

    private static List<String> losses(RunDirectory run) {
        return run.metrics().stream()
                .map(line -> line.path("step") + " " + line.path("loss") + " " + line.path("valid_loss"))
                .toList();
    }

    @Test
    void theLossFalls() {
        try (RunDirectory run = create(temporary.resolve("run"))) {
            train(run, CONFIG, () -> false);
            var steps = run.metrics().stream().filter(line -> line.has("loss")).toList();
            double first = steps.getFirst().path("loss").doubleValue();
            double last = steps.getLast().path("loss").doubleValue();
            assertTrue(last < 0.8 * first, first + " to " + last);
        }
    }

    @Test
    void aValidationThatIsStoppedIsDoneOnResuming() {
        List<String> expected;
        try (RunDirectory whole = create(temporary.resolve("whole"))) {
            train(whole, CONFIG, 50, new TrainListener() {}, () -> false);
            expected = losses(whole);
        }
        Path folder = temporary.resolve("parts");
        create(folder).close();
        boolean finished = false;
        for (int attempt = 0; attempt < 10 && !finished; attempt++) {
            boolean[] validating = {false};
            TrainListener listener = new TrainListener() {
                private int validations;

                @Override
                public void validating(int sequences) {
                    assertEquals(50, sequences);
                    validating[0] = validations++ == 1; // the first goes through, the second is stopped
                }
            };
            try (RunDirectory run = RunDirectory.open(folder)) {
                TrainResult result = train(run, CONFIG, 50, listener, () -> validating[0]);
                finished = result.finished();
                assertEquals(attempt == 2, finished, "attempt " + attempt + " took " + result.steps() + " steps");
            }
        }
        try (RunDirectory run = RunDirectory.open(folder)) {
            assertEquals(expected, losses(run));
        }
    }

    @Test
    void anInterruptedRunGivesTheLossesOfAnUninterruptedOne() throws Exception {
        List<String> expected;
        byte[] adapter;
        try (RunDirectory whole = create(temporary.resolve("whole"))) {
            train(whole, CONFIG, () -> false);
            expected = losses(whole);
            adapter = Files.readAllBytes(whole.adapter().resolve("adapter_model.safetensors"));
        }
        Path folder = temporary.resolve("parts");
        create(folder).close();
        for (int stopAfter : new int[] {3, 1, 9, 100}) {
            try (RunDirectory run = RunDirectory.open(folder)) {
                int[] steps = {0};
                train(run, CONFIG, () -> ++steps[0] == stopAfter);
            }
        }
        assertEquals(
                Files.readString(temporary.resolve("whole/samples.jsonl")),
                Files.readString(folder.resolve("samples.jsonl")));
        // As if killed between two saves: the newest lines belong to steps that are done again.
        try (RunDirectory run = RunDirectory.open(folder)) {
            assertEquals(expected, losses(run));
            assertEquals(
                    java.util.Arrays.toString(adapter),
                    java.util.Arrays.toString(Files.readAllBytes(run.adapter().resolve("adapter_model.safetensors"))));
        }
    }

    @Test
    void linesNewerThanTheStateAreDroppedOnResuming() throws Exception {
        Path folder = temporary.resolve("run");
        try (RunDirectory run = create(folder)) {
            int[] steps = {0};
            train(run, CONFIG, () -> ++steps[0] == 7);
        }
        Path metrics = folder.resolve("metrics.jsonl");
        Files.writeString(metrics, Files.readString(metrics) + "{\"step\":8,\"loss\":1}\n{\"step\":9,\"lo");
        try (RunDirectory run = RunDirectory.open(folder)) {
            train(run, CONFIG, () -> false);
            assertEquals(
                    java.util.stream.IntStream.rangeClosed(1, 24).boxed().toList(),
                    run.metrics().stream()
                            .filter(l -> l.has("loss"))
                            .map(l -> l.path("step").intValue())
                            .toList());
        }
    }

    @Test
    void samplesNewerThanTheStateAreDroppedOnResuming() throws Exception {
        Path folder = temporary.resolve("run");
        try (RunDirectory run = create(folder)) {
            train(run, CONFIG, () -> run.metrics().getLast().has("valid_loss"));
        }
        Path samples = folder.resolve("samples.jsonl");
        String kept = "{\"step\":8,\"source\":\"a\",\"output\":\"8\",\"reference\":null}\n";
        assertEquals(kept, Files.readString(samples));
        Files.writeString(samples, kept + "{\"step\":9,\"source\":\"a\"}\n{\"step\":1");
        try (RunDirectory run = RunDirectory.open(folder)) {
            train(run, CONFIG, () -> false);
        }
        assertEquals(kept + kept.replace("8", "16") + kept.replace("8", "24"), Files.readString(samples));
    }

    @Test
    void damagedMetricsAreRefusedAndKept() throws Exception {
        Path folder = temporary.resolve("run");
        try (RunDirectory run = create(folder)) {
            int[] steps = {0};
            train(run, CONFIG, () -> ++steps[0] == 7);
        }
        Path metrics = folder.resolve("metrics.jsonl");
        String damaged = "{\"step\":1,\"loss\":1}\nabc\n" + Files.readString(metrics);
        Files.writeString(metrics, damaged);
        try (RunDirectory run = RunDirectory.open(folder)) {
            InputException e = assertThrows(InputException.class, () -> train(run, CONFIG, () -> false));
            assertEquals(metrics + ":2: expected a JSON object with a 'step', found other text", e.getMessage());
        }
        assertEquals(damaged, Files.readString(metrics));
    }

    @Test
    void accumulatedBatchesEqualOneLargeBatch() {
        TrainConfig large = new TrainConfig(5, 0, 8, 1, false, 1e-2, 0, 0, 1, false, 0, 0, 0, 0, 100, 7);
        TrainConfig parts = new TrainConfig(5, 0, 4, 2, false, 1e-2, 0, 0, 1, false, 0, 0, 0, 0, 100, 7);
        List<Double> losses = new ArrayList<>();
        for (TrainConfig config : List.of(large, parts)) {
            try (RunDirectory run = create(temporary.resolve("run" + config.batchSize()));
                    TensorScope _ = new TensorScope()) {
                List<Sequence> data = sequences(40, 1);
                new Trainer(tuning(), config, Batches.inOrder(data, config.batchSize()), data, List.of(), run, () -> {})
                        .train(new TrainListener() {}, () -> false);
                run.metrics().forEach(line -> losses.add(line.path("loss").doubleValue()));
            }
        }
        for (int i = 0; i < 5; i++) {
            assertEquals(losses.get(i), losses.get(i + 5), 1e-5);
        }
    }

    @Test
    void onlyTheEncoderIsTrained() {
        List<Tensor> weights = new ArrayList<>();
        List<Tensor> parameters = List.copyOf(model.weights().values());
        parameters.forEach(parameter -> weights.add(parameter.clone()));
        try (RunDirectory run = create(temporary.resolve("run"))) {
            train(run, CONFIG, () -> false);
        }
        for (int i = 0; i < weights.size(); i++) {
            assertTrue(parameters.get(i).equal(weights.get(i)));
            assertFalse(parameters.get(i).requires_grad());
            assertFalse(parameters.get(i).grad().defined());
        }
        Tuning tuning = tuning();
        Map<String, Tensor> before = new java.util.LinkedHashMap<>();
        tuning.parameters().forEach((name, tensor) -> before.put(name, tensor.clone()));
        try (RunDirectory run = create(temporary.resolve("all"))) {
            new Trainer(tuning, CONFIG, sequences(40, 1), List.of(), run, () -> {})
                    .train(new TrainListener() {}, () -> false);
        }
        tuning.parameters().forEach((name, tensor) -> assertFalse(tensor.equal(before.get(name)), name));
    }

    @Test
    void stepsLeaveNothingBehind() {
        TrainConfig config = new TrainConfig(400, 0, 4, 1, false, 1e-3, 0, 0.01, 1, false, 0, 0.1, 0, 0, 1000, 7);
        try (RunDirectory run = create(temporary.resolve("run"))) {
            NativeMemory memory = new NativeMemory(400);
            train(run, config, () -> {
                memory.stepped();
                return false;
            });
            memory.assertNothingIsLeftBehind();
        }
    }

    @Test
    void stopsEarlyWhenValidationNoLongerImproves() {
        TrainConfig hopeless = new TrainConfig(200, 0, 4, 1, false, 0, 0, 0, 1, false, 0, 0, 5, 2, 100, 7);
        try (RunDirectory run = create(temporary.resolve("run"))) {
            TrainResult result = train(run, hopeless, () -> false);
            assertEquals(15, result.steps()); // best at 5, none at 10 and 15
            assertTrue(result.finished());
        }
    }

    @Test
    void twoProcessesCannotShareARun() {
        try (RunDirectory _ = create(temporary.resolve("run"))) {
            assertThrows(InputException.class, () -> RunDirectory.open(temporary.resolve("run")));
        }
        RunDirectory.open(temporary.resolve("run")).close();
        assertThrows(InputException.class, () -> create(temporary.resolve("run")));
    }

    @Test
    void everyEpochHasEverySequenceOnceInItsOwnOrder() {
        List<Sequence> data = sequences(43, 5);
        Batches batches = Batches.shuffled(data, 4, 9, true);
        List<List<Sequence>> epochs = new ArrayList<>();
        for (int epoch = 0; epoch < 2; epoch++) {
            List<Sequence> seen = new ArrayList<>();
            for (int i = 0; i < batches.perEpoch(); i++) {
                seen.addAll(batches.get((long) epoch * batches.perEpoch() + i));
            }
            assertEquals(43, new java.util.HashSet<>(seen).size());
            epochs.add(seen);
        }
        assertFalse(epochs.get(0).equals(epochs.get(1)));
        assertEquals(batches.get(3), Batches.shuffled(data, 4, 9, true).get(3));
    }
}
