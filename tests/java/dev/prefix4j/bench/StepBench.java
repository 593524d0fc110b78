package dev.prefix4j.bench;

import dev.prefix4j.frozen.FrozenModel;
import dev.prefix4j.frozen.Precision;
import dev.prefix4j.kernels.Kernels;
import dev.prefix4j.model.Activation;
import dev.prefix4j.model.BaseModel;
import dev.prefix4j.model.KvCache;
import dev.prefix4j.model.LmLoss;
import dev.prefix4j.model.ModelConfig;
import dev.prefix4j.model.ModelConfig.Tokens;
import dev.prefix4j.model.gpt2.Gpt2;
import dev.prefix4j.model.gpt2.Gpt2Family;
import dev.prefix4j.prefix.PrefixShape;
import dev.prefix4j.text.PackedBatch;
import dev.prefix4j.text.Sequence;
import dev.prefix4j.text.TokenBatch;
import dev.prefix4j.torch.TensorScope;
import dev.prefix4j.torch.TorchRuntime;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Warmup;

/**
 * The loss of a batch and its gradient with respect to a prefix: through autograd on a padded batch, by explicit rules in
 * libtorch's operators, on our kernels, in 8 bits, and with recomputation.
 */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MILLISECONDS)
@Fork(1)
@Warmup(iterations = 1, time = 2)
@Measurement(iterations = 4, time = 2)
public class StepBench {
    @Param("4")
    public int layers;

    @Param("256")
    public int width;

    @Param("4")
    public int heads;

    @Param("8192")
    public int vocabulary;

    @Param("10")
    public int batch;

    /** Of source and target; each sequence has between half and one and a half of it. */
    @Param("40")
    public int tokens;

    @Param("10")
    public int prefix;

    private TensorScope scope;
    private BaseModel model;
    private Tensor vectors;
    private List<Sequence> sequences;
    private PackedBatch packed;
    private FrozenModel composed;
    private FrozenModel kernels;
    private FrozenModel eightBits;
    private FrozenModel recomputing;

    @Setup
    public void setUp() {
        TorchRuntime.seed(1);
        scope = new TensorScope();
        ModelConfig config = Gpt2Family.config(
                layers,
                heads,
                width,
                2 * tokens + prefix,
                vocabulary,
                4 * width,
                Activation.GELU_TANH,
                1e-5,
                true,
                false,
                true,
                Tokens.of(0, 0));
        model = Gpt2Family.initialize(config, TorchRuntime.device("cpu"));
        model.weights().values().forEach(weight -> weight.requires_grad_(false));
        PrefixShape shape = PrefixShape.of(prefix, config);
        vectors = torch.randn(prefix, shape.rowWidth());
        Random random = new Random(1);
        sequences = IntStream.range(0, batch)
                .mapToObj(_ -> {
                    int length = tokens / 2 + random.nextInt(tokens + 1);
                    return new Sequence(random.ints(length, 0, vocabulary).toArray(), length / 2);
                })
                .toList();
        packed = PackedBatch.of(sequences);
        composed = frozen(Precision.FP32, false, Optional.empty());
        kernels = frozen(Precision.FP32, false, Kernels.find());
        eightBits = frozen(Precision.INT8, false, Kernels.find());
        recomputing = frozen(Precision.FP32, true, Kernels.find());
        try (TensorScope _ = new TensorScope()) {
            Tensor expected = throughAutograd();
            for (FrozenModel one : List.of(composed, kernels, recomputing)) {
                Agreement.require("gradient", one.gradient(packed, vectors, 1).gradient(), expected, 1e-4);
            }
            Agreement.require(
                    "gradient in 8 bits", eightBits.gradient(packed, vectors, 1).gradient(), expected, 0.15);
        }
    }

    private FrozenModel frozen(Precision precision, boolean recompute, Optional<Kernels> found) {
        return new FrozenModel(model, new FrozenModel.Options(precision, recompute, false, found));
    }

    @TearDown
    public void tearDown() {
        scope.close();
    }

    private Tensor throughAutograd() {
        TokenBatch padded = TokenBatch.of(sequences, 0);
        Tensor leaf = vectors.clone().requires_grad_(true);
        KvCache cache =
                KvCache.startingWith(PrefixShape.of(prefix, model.config()).split(leaf));
        Tensor hidden = new Gpt2(model).forward(model.ids(padded.ids(), padded.rows()), cache);
        LmLoss.sum(model.head(), hidden, model.ids(padded.positions()), model.ids(padded.targets()))
                .backward();
        return leaf.grad();
    }

    @Benchmark
    public long autograd() {
        try (TensorScope _ = new TensorScope()) {
            return throughAutograd().numel();
        }
    }

    private double step(FrozenModel frozen) {
        try (TensorScope _ = new TensorScope()) {
            return frozen.gradient(packed, vectors, 1).loss();
        }
    }

    @Benchmark
    public double libtorchOperators() {
        return step(composed);
    }

    @Benchmark
    public double kernels() {
        return step(kernels);
    }

    @Benchmark
    public double recomputing() {
        return step(recomputing);
    }

    @Benchmark
    public double eightBits() {
        return step(eightBits);
    }
}
