package dev.prefix4j.frozen;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.prefix4j.kernels.Kernels;
import dev.prefix4j.model.AutogradModel;
import dev.prefix4j.model.BaseModel;
import dev.prefix4j.model.Checkpoint;
import dev.prefix4j.text.PackedBatch;
import dev.prefix4j.text.Sequence;
import dev.prefix4j.torch.TensorScope;
import dev.prefix4j.torch.TorchRuntime;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** A model of 16-bit weights that stay as they are stored is the same function as one of the same weights in float32. */
class StoredTypeTest {
    private static final Path MODELS = Path.of("tests/resources/parity");

    @TempDir
    Path t;

    private record Case(String model, torch.ScalarType type, boolean kernels) {}

    @BeforeAll
    static void start() {
        TorchRuntime.require();
    }

    static Stream<Case> cases() {
        List<Case> cases = new ArrayList<>();
        for (String model : List.of("tiny", "llama", "qwen2")) {
            for (torch.ScalarType type : List.of(torch.ScalarType.BFloat16, torch.ScalarType.Half)) {
                cases.add(new Case(model, type, false));
                if (Kernels.find().isPresent()) {
                    cases.add(new Case(model, type, true));
                }
            }
        }
        return cases.stream();
    }

    /** Two folders with the same values. */
    private record Pair(BaseModel stored, BaseModel floats) {}

    private Pair pair(String name, torch.ScalarType type) {
        Path base = MODELS.resolve(name).resolve("model");
        Checkpoint.export(base, Checkpoint.load(base, TorchRuntime.device("cpu")), t.resolve("half"), type);
        BaseModel converted = Checkpoint.load(t.resolve("half"), TorchRuntime.device("cpu"));
        Checkpoint.export(base, converted, t.resolve("float"), torch.ScalarType.Float);
        return new Pair(
                Checkpoint.open(t.resolve("half"), TorchRuntime.device("cpu")),
                Checkpoint.load(t.resolve("float"), TorchRuntime.device("cpu")));
    }

    private static PackedBatch batch() {
        return PackedBatch.of(
                List.of(new Sequence(new int[] {1, 2, 3, 4, 5}, 2), new Sequence(new int[] {7, 8, 9}, 1)));
    }

    private static FrozenModel frozen(BaseModel model, Precision precision, boolean kernels) {
        return new FrozenModel(
                model, new FrozenModel.Options(precision, false, false, kernels ? Kernels.find() : Optional.empty()));
    }

    private static void assertSame(FrozenModel expected, FrozenModel actual, BaseModel model) {
        try (TensorScope _ = new TensorScope()) {
            TorchRuntime.seed(3);
            Tensor vectors =
                    torch.randn(2, 2L * model.config().layers() * model.config().keyColumns());
            FrozenModel.Gradient wanted = expected.gradient(batch(), vectors, 0.5);
            FrozenModel.Gradient found = actual.gradient(batch(), vectors, 0.5);
            assertEquals(wanted.loss(), found.loss());
            assertTrue(wanted.gradient().equal(found.gradient()));
            assertArrayEquals(logits(expected), logits(actual));
        }
    }

    private static float[] logits(FrozenModel model) {
        try (Session session = new Session(model, Session.pagesFor(4))) {
            Tensor logits = session.read(List.of(new Session.Chunk(
                            session.admit(List.of(), 4), new int[] {3, 1, 4, 1}, new int[] {0, 1, 2, 3}, null)))
                    .contiguous();
            float[] values = new float[(int) logits.numel()];
            logits.data_ptr_float().get(values);
            return values;
        }
    }

    @ParameterizedTest
    @MethodSource("cases")
    void eightBitsOfSixteenAreThoseOfTheSameInFloat32(Case c) {
        try (TensorScope _ = new TensorScope()) {
            Pair pair = pair(c.model(), c.type());
            assertSame(
                    frozen(pair.floats(), Precision.INT8, c.kernels()),
                    frozen(pair.stored(), Precision.INT8, c.kernels()),
                    pair.floats());
        }
    }

    @ParameterizedTest
    @MethodSource("cases")
    void whoWantsFloat32GetsIt(Case c) {
        try (TensorScope _ = new TensorScope()) {
            Pair pair = pair(c.model(), c.type());
            assertSame(
                    frozen(pair.floats(), Precision.FP32, c.kernels()),
                    frozen(pair.stored(), Precision.FP32, c.kernels()),
                    pair.floats());
            Tensor ids = pair.floats().ids(new long[] {3, 1, 4, 1, 5, 9}, 2);
            AutogradModel wanted = new AutogradModel(pair.floats());
            AutogradModel found = new AutogradModel(pair.stored());
            assertTrue(wanted.logits(wanted.forward(ids)).equal(found.logits(found.forward(ids))));
            pair.stored()
                    .trainable()
                    .weights()
                    .forEach((name, weight) ->
                            assertTrue(weight.equal(pair.floats().weights().get(name)), name));
        }
    }

    @Test
    void matricesStayInTheFileAndVectorsAreFloat32() {
        try (TensorScope _ = new TensorScope()) {
            pair("llama", torch.ScalarType.BFloat16)
                    .stored()
                    .weights()
                    .forEach((name, weight) -> assertEquals(
                            weight.dim() > 1 ? torch.ScalarType.BFloat16 : torch.ScalarType.Float,
                            weight.scalar_type().intern(),
                            name));
        }
    }
}
