package dev.prefix4j.bench;

import dev.prefix4j.frozen.Adaptation;
import dev.prefix4j.frozen.FrozenModel;
import dev.prefix4j.frozen.Objective;
import dev.prefix4j.frozen.Precision;
import dev.prefix4j.frozen.Run;
import dev.prefix4j.frozen.Seen;
import dev.prefix4j.frozen.Session;
import dev.prefix4j.frozen.SoftPrompt;
import dev.prefix4j.kernels.Kernels;
import dev.prefix4j.model.Activation;
import dev.prefix4j.model.BaseModel;
import dev.prefix4j.model.ModelConfig;
import dev.prefix4j.model.ModelConfig.Tokens;
import dev.prefix4j.model.gpt2.Gpt2Family;
import dev.prefix4j.prefix.PrefixShape;
import dev.prefix4j.text.PackedBatch;
import dev.prefix4j.text.Sequence;
import dev.prefix4j.torch.TensorScope;
import dev.prefix4j.torch.TorchRuntime;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;
import org.bytedeco.pytorch.global.torch;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Level;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Warmup;

/** 16 rows of one batch with one prefix, and with 16 different ones: a training pass, and steps of decoding. GPT-2 small's geometry. */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MILLISECONDS)
@Fork(1)
@Warmup(iterations = 2, time = 2)
@Measurement(iterations = 5, time = 3)
public class ManyPromptsBench {
    private static final int ROWS = 16;
    private static final int TOKENS = 40;
    private static final int STEPS = 20;

    @Param({"1", "16"})
    public int prompts;

    @Param({"FP32", "INT8"})
    public Precision precision;

    @Param("10")
    public int prefix;

    private TensorScope scope;
    private FrozenModel training;
    private FrozenModel decoding;
    private List<SoftPrompt> soft;
    private List<Run> runs;
    private List<Sequence> sequences;
    private Session session;
    private List<Session.Row> rows;

    @Setup
    public void setUp() {
        TorchRuntime.seed(1);
        scope = new TensorScope();
        ModelConfig config = Gpt2Family.config(
                12, 12, 768, 1024, 50_257, 3072, Activation.GELU_TANH, 1e-5, true, false, true, Tokens.of(0, 0));
        BaseModel model = Gpt2Family.initialize(config, TorchRuntime.device("cpu"));
        model.weights().values().forEach(weight -> weight.requires_grad_(false));
        training = new FrozenModel(model, new FrozenModel.Options(precision, false, false, Kernels.find()));
        decoding = new FrozenModel(model, new FrozenModel.Options(precision, false, true, Kernels.find()));
        PrefixShape shape = PrefixShape.of(prefix, config);
        soft = IntStream.range(0, prompts)
                .mapToObj(_ -> SoftPrompt.prefix(torch.randn(prefix, shape.rowWidth()), config))
                .toList();
        runs = soft.stream()
                .map(one -> Run.of(one.activations(), decoding.layout()))
                .toList();
        Random random = new Random(1);
        sequences = IntStream.range(0, ROWS)
                .mapToObj(_ -> new Sequence(random.ints(TOKENS, 0, 50_257).toArray(), TOKENS / 2))
                .toList();
    }

    @TearDown
    public void tearDown() {
        runs.forEach(Run::close);
        scope.close();
    }

    /** Rows that have read their prompts. */
    @Setup(Level.Invocation)
    public void read() {
        session = new Session(decoding, ROWS * Session.pagesFor(TOKENS + STEPS) + prompts * Session.pagesFor(prefix));
        try (TensorScope _ = new TensorScope()) {
            List<Session.Chunk> chunks = IntStream.range(0, ROWS)
                    .mapToObj(i -> Session.Chunk.prompt(
                            session.admit(List.of(Seen.always(runs.get(i % prompts))), TOKENS + STEPS),
                            sequences.get(i).ids(),
                            null))
                    .toList();
            session.read(chunks);
            rows = chunks.stream().map(Session.Chunk::row).toList();
        }
    }

    @TearDown(Level.Invocation)
    public void close() {
        session.close();
    }

    @Benchmark
    public long decode() {
        long[] tokens = new long[ROWS];
        for (int step = 0; step < STEPS; step++) {
            Arrays.fill(tokens, step);
            try (TensorScope _ = new TensorScope()) {
                session.step(rows, tokens);
            }
        }
        return rows.getFirst().tokens();
    }

    @Benchmark
    public double train() {
        PackedBatch batch = PackedBatch.of(sequences);
        int targets = batch.targets().length;
        int[] of = IntStream.range(0, ROWS).map(i -> i % prompts).toArray();
        try (TensorScope _ = new TensorScope()) {
            return training.gradient(
                            batch,
                            soft.stream().map(Adaptation::of).toList(),
                            of,
                            Objective.likelihood(1.0 / targets).each(targets))
                    .losses()[0];
        }
    }
}
