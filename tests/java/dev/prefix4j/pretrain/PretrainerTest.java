package dev.prefix4j.pretrain;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.ObjectMapper;
import dev.prefix4j.eval.TextLikelihood;
import dev.prefix4j.model.Activation;
import dev.prefix4j.model.BaseModel;
import dev.prefix4j.model.Checkpoint;
import dev.prefix4j.model.ModelConfig;
import dev.prefix4j.model.ModelConfig.Tokens;
import dev.prefix4j.model.gpt2.Gpt2Family;
import dev.prefix4j.text.BpeTrainer;
import dev.prefix4j.text.Documents;
import dev.prefix4j.text.RunningText;
import dev.prefix4j.text.Tokenizer;
import dev.prefix4j.torch.NativeMemory;
import dev.prefix4j.torch.TensorScope;
import dev.prefix4j.torch.TorchRuntime;
import dev.prefix4j.train.RunDirectory;
import dev.prefix4j.train.TrainListener;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.function.BooleanSupplier;
import java.util.stream.LongStream;
import org.bytedeco.pytorch.NoGradGuard;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class PretrainerTest {
    private static final int LENGTH = 32;
    private static final String MIXTURE = "prose=0.7,repeats=0.1,sentences=0.1,facts=0.1";

    @TempDir
    Path folder;

    private Tokenizer tokenizer;
    private TokenCorpus corpus;
    private RunningText validation;

    @BeforeEach
    void encode() throws IOException {
        TorchRuntime.require();
        Path text = MixtureTest.text(folder);
        BpeTrainer trainer = new BpeTrainer();
        Documents.read(text, trainer::add);
        trainer.write(folder.resolve("tokenizer.json"), 320);
        tokenizer = Tokenizer.load(folder);
        corpus = TokenCorpus.encode(List.of(text), tokenizer, 0, folder.resolve("tokens.safetensors"));
        validation = RunningText.encode(text, tokenizer, 0);
    }

    @AfterEach
    void close() {
        corpus.close();
        tokenizer.close();
    }

    private static PretrainConfig config(int steps, double muon) {
        return new PretrainConfig(steps, 0, 4, 2, 5e-3, muon, 0.1, 5, 0.1, 0.95, 1, 10, 10, Mixture.parse(MIXTURE), 3);
    }

    private BaseModel model() {
        TorchRuntime.seed(1);
        ModelConfig config = Gpt2Family.config(
                2,
                2,
                16,
                LENGTH,
                tokenizer.vocabularySize(),
                64,
                Activation.GELU_TANH,
                1e-5,
                true,
                false,
                true,
                Tokens.of(0, 0));
        return Gpt2Family.initialize(config, TorchRuntime.device("cpu"));
    }

    private Pretrainer.Result train(RunDirectory run, PretrainConfig config, BooleanSupplier stop) {
        try (TensorScope _ = new TensorScope()) {
            BaseModel model = model();
            Mixture mixture = new Mixture(corpus, tokenizer, 0, config.mixture(), LENGTH, config.seed());
            return new Pretrainer(
                            model,
                            config,
                            mixture,
                            validation,
                            run,
                            () -> Gpt2Models.save(model, run.folder().resolve("model"), torch.ScalarType.Float))
                    .train(new TrainListener() {}, stop);
        }
    }

    private RunDirectory create(String name) {
        return RunDirectory.create(folder.resolve(name), new ObjectMapper().createObjectNode());
    }

    private static List<String> losses(RunDirectory run) {
        return run.metrics().stream()
                .map(line -> line.path("step") + " " + line.path("loss") + " " + line.path("valid_loss"))
                .toList();
    }

    private static byte[] weights(RunDirectory run) throws IOException {
        return Files.readAllBytes(run.folder().resolve("model/model.safetensors"));
    }

    @Test
    void theLossFallsWithEitherOptimizer() {
        for (double muon : new double[] {0, 0.02}) {
            try (RunDirectory run = create("run" + muon)) {
                Pretrainer.Result result = train(run, config(60, muon), () -> false);
                double first = run.metrics().getFirst().path("loss").asDouble();
                assertEquals(60, result.steps());
                assertTrue(result.finished());
                assertTrue(Math.abs(first - Math.log(320)) < 0.5, "begins near ln V, was " + first);
                assertTrue(
                        result.validation().loss() < 0.75 * first,
                        first + " to " + result.validation().loss());
            }
        }
    }

    @Test
    void anInterruptedRunGivesTheLossesOfAnUninterruptedOne() throws IOException {
        for (double muon : new double[] {0, 0.02}) {
            List<String> expected;
            byte[] weights;
            try (RunDirectory whole = create("whole" + muon)) {
                train(whole, config(25, muon), () -> false);
                expected = losses(whole);
                weights = weights(whole);
            }
            Path parts = folder.resolve("parts" + muon);
            create("parts" + muon).close();
            boolean finished = false;
            for (int steps : new int[] {7, 4, 100}) {
                try (RunDirectory run = RunDirectory.open(parts)) {
                    int[] left = {steps};
                    assertFalse(finished);
                    finished =
                            train(run, config(25, muon), () -> --left[0] == 0).finished();
                }
            }
            try (RunDirectory run = RunDirectory.open(parts)) {
                assertEquals(expected, losses(run));
                assertArrayEquals(weights, weights(run));
            }
        }
    }

    @Test
    void minutesBoundARun() {
        PretrainConfig config =
                new PretrainConfig(0, 0.02, 4, 2, 5e-3, 0, 0.1, 5, 0.1, 0.95, 1, 1000, 1000, Mixture.parse(MIXTURE), 3);
        try (RunDirectory run = create("run")) {
            Pretrainer.Result result = train(run, config, () -> false);
            assertTrue(result.finished());
            assertTrue(result.seconds() >= 1.2 && result.seconds() < 10, "took " + result.seconds());
            double last = run.metrics().stream()
                    .filter(l -> l.has("lr"))
                    .toList()
                    .getLast()
                    .path("lr")
                    .asDouble();
            assertTrue(last < 0.3 * 5e-3, "the schedule follows the time, ended with " + last);
        }
    }

    @Test
    void aSavedModelIsTheSameModel() throws IOException {
        try (TensorScope _ = new TensorScope();
                NoGradGuard _ = new NoGradGuard()) {
            BaseModel model = model();
            double expected = TextLikelihood.of(model, validation.ids(), validation.bytes())
                    .loss();
            for (torch.ScalarType type : List.of(torch.ScalarType.Float, torch.ScalarType.Half)) {
                Path target = folder.resolve("saved-" + type);
                Gpt2Models.save(model, target, type);
                BaseModel loaded = Checkpoint.load(target, model.device());
                assertEquals(model.config(), loaded.config());
                double loss = TextLikelihood.of(loaded, validation.ids(), validation.bytes())
                        .loss();
                assertEquals(expected, loss, type == torch.ScalarType.Half ? 1e-3 : 1e-6);
                assertEquals(
                        type == torch.ScalarType.Half ? "float16" : "float32",
                        new ObjectMapper()
                                .readTree(target.resolve("config.json").toFile())
                                .path("dtype")
                                .asText());
            }
        }
    }

    @Test
    void bitsPerByteCountTheBytesOfTheText() {
        try (TensorScope _ = new TensorScope()) {
            TextLikelihood likelihood = TextLikelihood.of(model(), validation.ids(), validation.bytes());
            assertEquals(validation.ids().length - 1, likelihood.tokens());
            double bits = likelihood.loss() * likelihood.tokens() / Math.log(2) / validation.bytes();
            assertEquals(bits, likelihood.bitsPerByte(), 1e-9);
        }
    }

    @Test
    void muonsUpdatesAreHalfOrthogonal() {
        try (TensorScope _ = new TensorScope()) {
            TorchRuntime.seed(2);
            for (long[] shape : new long[][] {{24, 24}, {16, 40}, {40, 16}}) {
                Tensor update = Muon.orthogonalize(torch.randn(shape));
                assertArrayEquals(shape, update.sizes().vec().get());
                double scale = Math.sqrt(Math.max(1, (double) shape[1] / shape[0]));
                Tensor values = torch.linalg_svdvals(update);
                assertTrue(
                        values.max().item_double() < 1.3 * scale,
                        "largest " + values.max().item_double());
                assertTrue(
                        values.median().item_double() > 0.6 * scale,
                        "median " + values.median().item_double());
            }
        }
    }

    @Test
    void stepsLeaveNothingBehind() {
        PretrainConfig config = config(480, 0.02);
        // The tokenizer's library keeps up to 10,000 words that it has met: here it meets them all before the steps are
        // watched.
        Mixture rows = new Mixture(corpus, tokenizer, 0, config.mixture(), LENGTH, config.seed());
        LongStream.range(0, (long) config.steps() * config.rows()).forEach(rows::row);
        try (RunDirectory run = create("run")) {
            NativeMemory memory = new NativeMemory(480);
            train(run, config, () -> {
                memory.stepped();
                return false;
            });
            memory.assertNothingIsLeftBehind();
        }
    }
}
