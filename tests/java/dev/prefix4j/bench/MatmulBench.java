package dev.prefix4j.bench;

import dev.prefix4j.torch.Kernels;
import dev.prefix4j.torch.TensorScope;
import dev.prefix4j.torch.TorchRuntime;
import java.util.concurrent.TimeUnit;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptions;
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

/** {@code y = x W + b} in libtorch, in our float32 kernel and in 8 bits, the quantization of x included. */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MICROSECONDS)
@Fork(1)
@Warmup(iterations = 2, time = 1)
@Measurement(iterations = 5, time = 1)
public class MatmulBench {
    @Param({"1", "8", "20", "400"})
    public int rows;

    @Param("768")
    public int inputs;

    @Param("3072")
    public int outputs;

    private TensorScope scope;
    private Kernels kernels;
    private Tensor x; // [rows, inputs]
    private Tensor weight; // [inputs, outputs]
    private Tensor byOutput; // the same, with the weights of an output side by side
    private Tensor bias;
    private Tensor packed;
    private Tensor y; // [rows, outputs]
    private Tensor q;
    private Tensor scale;
    private Tensor sum;

    @Setup
    public void setUp() {
        TorchRuntime.seed(1);
        kernels = Kernels.find().orElseThrow();
        scope = new TensorScope();
        x = torch.randn(rows, inputs);
        weight = torch.randn(inputs, outputs);
        byOutput = weight.t().contiguous().t();
        bias = torch.randn(outputs);
        packed = kernels.pack(weight);
        y = torch.empty(rows, outputs);
        q = torch.empty(new long[] {rows, inputs}, new TensorOptions(torch.ScalarType.Char), null);
        scale = torch.empty(rows);
        sum = torch.empty(new long[] {rows}, new TensorOptions(torch.ScalarType.Int), null);
        Tensor expected = torch.addmm(bias, x, weight);
        Agreement.require("matmul_f32", asStored(), expected, 1e-5);
        Agreement.require("matmul_f32 by output", byOutput(), expected, 1e-5);
        Agreement.require("matmul_q8", eightBits(), expected, 0.02);
    }

    @TearDown
    public void tearDown() {
        scope.close();
    }

    @Benchmark
    public long libtorch() {
        try (TensorScope _ = new TensorScope()) {
            return torch.addmm(bias, x, weight).numel();
        }
    }

    @Benchmark
    public Tensor asStored() {
        kernels.matmulF32(x, weight, bias, null, y);
        return y;
    }

    @Benchmark
    public Tensor byOutput() {
        kernels.matmulF32(x, byOutput, bias, null, y);
        return y;
    }

    @Benchmark
    public Tensor eightBits() {
        kernels.quantize(x, q, scale, sum, null);
        kernels.matmulQ8(q, scale, sum, packed, inputs, outputs, 0, bias, null, y);
        return y;
    }
}
