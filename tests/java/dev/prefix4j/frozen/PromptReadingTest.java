package dev.prefix4j.frozen;

import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.prefix4j.kernels.Kernels;
import dev.prefix4j.model.AutogradModel;
import dev.prefix4j.model.BaseModel;
import dev.prefix4j.model.KvCache;
import dev.prefix4j.prefix.PrefixShape;
import dev.prefix4j.torch.NativeMemory;
import dev.prefix4j.torch.TensorScope;
import dev.prefix4j.torch.TorchRuntime;
import java.util.Optional;
import java.util.stream.IntStream;
import org.bytedeco.pytorch.BoolOptional;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorArrayRefOptional;
import org.bytedeco.pytorch.global.torch;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Keys and values of vectors that a model reads, and the gradient with respect to the vectors, against autograd. */
class PromptReadingTest {
    private static final int LENGTH = 6;

    @BeforeAll
    static void start() {
        TorchRuntime.require();
    }

    private static FrozenModel frozen(BaseModel model, Precision precision, boolean kernels) {
        return new FrozenModel(
                model, new FrozenModel.Options(precision, false, false, kernels ? Kernels.find() : Optional.empty()));
    }

    @ParameterizedTest
    @EnumSource(FrozenModelTest.Model.class)
    void activationsAndGradientsAreThoseOfAutograd(FrozenModelTest.Model geometry) {
        try (TensorScope _ = new TensorScope()) {
            BaseModel model = FrozenModelTest.model(geometry.config);
            int layers = model.config().layers();
            Tensor vectors = torch.randn(LENGTH, model.config().width()).requires_grad_(true);
            KvCache.Growing cache = (KvCache.Growing) KvCache.empty(layers);
            new AutogradModel(model).forwardEmbeddings(vectors.unsqueeze(0), cache);
            Tensor expected = PrefixShape.of(LENGTH, model.config())
                    .join(IntStream.range(0, layers).mapToObj(cache::layer).toList());
            Tensor gradient = torch.randn_like(expected);
            expected.backward(gradient, new BoolOptional(), false, new TensorArrayRefOptional());
            for (boolean kernels : new boolean[] {false, true}) {
                try (PromptReading reading =
                        frozen(model, Precision.FP32, kernels).read(vectors)) {
                    near(expected.detach(), reading.activations(), 1e-5);
                    near(vectors.grad(), reading.back(gradient), 1e-5);
                }
                try (PromptReading reading =
                        frozen(model, Precision.INT8, kernels).read(vectors)) {
                    near(expected.detach(), reading.activations(), 0.1);
                    near(vectors.grad(), reading.back(gradient), 0.2);
                }
            }
        }
    }

    private static void near(Tensor expected, Tensor found, double relative) {
        double error = FrozenModelTest.norm(found.sub(expected)) / FrozenModelTest.norm(expected);
        assertTrue(error < relative, "relative error " + error);
    }

    @ParameterizedTest
    @EnumSource(names = {"USUAL", "LLAMA"})
    void readingsLeaveNothingBehind(FrozenModelTest.Model geometry) {
        try (TensorScope _ = new TensorScope()) {
            BaseModel model = FrozenModelTest.model(geometry.config);
            FrozenModel frozen = new FrozenModel(model, Precision.FP32);
            Tensor vectors = torch.randn(LENGTH, model.config().width());
            NativeMemory.assertNothingIsLeftBehind(300, () -> {
                try (TensorScope _ = new TensorScope();
                        PromptReading reading = frozen.read(vectors)) {
                    reading.back(torch.ones_like(reading.activations()));
                }
            });
        }
    }
}
