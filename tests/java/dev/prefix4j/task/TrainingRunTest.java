package dev.prefix4j.task;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import dev.prefix4j.InputException;
import dev.prefix4j.generate.Decoding;
import dev.prefix4j.generate.OutputRules;
import dev.prefix4j.method.FineTuning;
import dev.prefix4j.method.LoraTuning;
import dev.prefix4j.method.Method;
import dev.prefix4j.method.PrefixTuning;
import dev.prefix4j.method.Vectors;
import dev.prefix4j.prefix.PrefixEncoder.Reparametrization;
import dev.prefix4j.text.Example;
import dev.prefix4j.torch.NativeMemory;
import dev.prefix4j.torch.TorchRuntime;
import dev.prefix4j.train.RunDirectory;
import dev.prefix4j.train.TrainConfig;
import dev.prefix4j.train.TrainListener;
import dev.prefix4j.train.TrainResult;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

class TrainingRunTest {
    private static final String MODEL = "tests/resources/model";
    private static final String WEIGHTS = "adapter_model.safetensors";
    private static final TrainConfig CONFIG =
            TrainConfig.DEFAULTS.withSteps(4).withBatchSize(2).withLearningRate(1e-2);
    private static final List<Example> PAIRS = List.of(
            Example.of("name : The Mill", "The Mill is cheap."),
            Example.of("name : Aromi", "Aromi is near.", "Aromi is a pub."));
    private static final Method PREFIX = new PrefixTuning(new Vectors(3, Reparametrization.MLP, 8));

    @TempDir
    Path folder;

    @BeforeEach
    void seed() {
        TorchRuntime.require();
        TorchRuntime.seed(5);
    }

    static Stream<Method> methods() {
        return Stream.of(PREFIX, new LoraTuning(2, 4), new FineTuning());
    }

    @ParameterizedTest
    @MethodSource("methods")
    void aRunInMemoryKeepsWhatARunDirectoryKeeps(Method method) throws IOException {
        TrainingRun.Setup setup = TrainingRun.Setup.of(method, CONFIG);
        List<String> sources = List.of("name : The Mill");
        List<String> inMemory;
        try (LanguageModel model = LanguageModel.load(MODEL);
                TrainingRun run = new TrainingRun(model, setup, PAIRS, PAIRS)) {
            TrainResult result = run.train();
            assertEquals(4, result.steps());
            assertEquals(java.util.Optional.empty(), result.adapter());
            run.save(folder.resolve("saved"));
            inMemory = job(run.adapted()).write(sources);
        }
        TorchRuntime.seed(5);
        try (LanguageModel model = LanguageModel.load(MODEL);
                TrainingRun run = new TrainingRun(model, setup, PAIRS, PAIRS);
                RunDirectory directory =
                        RunDirectory.create(folder.resolve("run"), JsonNodeFactory.instance.objectNode())) {
            run.train(directory, new TrainListener() {}, () -> false);
        }
        Path kept = RunDirectory.adapterIn(folder.resolve("run"));
        assertArrayEquals(
                Files.readAllBytes(kept.resolve(WEIGHTS)),
                Files.readAllBytes(folder.resolve("saved").resolve(WEIGHTS)));
        try (LanguageModel model = LanguageModel.load(MODEL)) {
            assertEquals(inMemory, job(AdaptedModel.of(model, kept)).write(sources));
        }
    }

    private static GenerationJob job(AdaptedModel model) {
        return new GenerationJob(model, new Decoding.Greedy(), OutputRules.atMost(8));
    }

    @Test
    void pairsThatAreTooLongAreNamedByTheirSource() {
        List<Example> pairs = List.of(Example.of("name : The Mill", "cheap ".repeat(5000)));
        try (LanguageModel model = LanguageModel.load(MODEL)) {
            InputException e = assertThrows(
                    InputException.class,
                    () -> new TrainingRun(model, TrainingRun.Setup.of(PREFIX, CONFIG), pairs, List.of()));
            assertEquals("'name : The Mill': ", e.getMessage().substring(0, 19));
        }
    }

    private static void trainAndWrite() {
        try (LanguageModel model = LanguageModel.load(MODEL);
                TrainingRun run =
                        new TrainingRun(model, TrainingRun.Setup.of(PREFIX, CONFIG.withSteps(1)), PAIRS, PAIRS)) {
            run.train();
            job(run.adapted()).write(List.of("a"));
        }
    }

    @Test
    void whatIsClosedLeavesNothingBehind() {
        for (int i = 0; i < 80; i++) { // the JIT compiler settles late in steps such as these
            trainAndWrite();
        }
        NativeMemory memory = new NativeMemory(80, 1_000); // the vectors of a prefix alone take more
        for (int i = 0; i < 80; i++) {
            trainAndWrite();
            memory.stepped();
        }
        memory.assertNothingIsLeftBehind();
    }
}
