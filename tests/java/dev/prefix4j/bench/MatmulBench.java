package dev.prefix4j.bench;

import dev.prefix4j.kernels.EightBits;
import dev.prefix4j.kernels.Kernels;
import dev.prefix4j.kernels.ProductKernels;
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
    private ProductKernels.Packed packed;
    private ProductKernels.Packed strips;
    private Tensor y; // [rows, outputs]
    private EightBits bits;

    @Setup
    public void setUp() {
        TorchRuntime.seed(1);
        kernels = Kernels.find().orElseThrow();
        scope = new TensorScope();
        x = torch.randn(rows, inputs);
        weight = torch.randn(inputs, outputs);
        byOutput = weight.t().contiguous().t();
        bias = torch.randn(outputs);
        packed = kernels.products().quantize(weight);
        strips = kernels.products().pack(weight);
        y = torch.empty(rows, outputs);
        bits = new EightBits(
                torch.empty(new long[] {rows, inputs}, new TensorOptions(torch.ScalarType.Char), null),
                torch.empty(rows),
                torch.empty(new long[] {rows}, new TensorOptions(torch.ScalarType.Int), null));
        Tensor expected = torch.addmm(bias, x, weight);
        Agreement.require("matmul_f32", asStored(), expected, 1e-5);
        Agreement.require("matmul_f32 by output", byOutput(), expected, 1e-5);
        Agreement.require("matmul_packed_f32", strips(), expected, 1e-5);
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
        kernels.products().multiply(x, weight, bias, null, y);
        return y;
    }

    @Benchmark
    public Tensor byOutput() {
        kernels.products().multiply(x, byOutput, bias, null, y);
        return y;
    }

    @Benchmark
    public Tensor strips() {
        kernels.products().multiply(x, strips, 0, bias, null, y);
        return y;
    }

    @Benchmark
    public Tensor eightBits() {
        kernels.rows().quantize(x, bits, null);
        kernels.products().multiply(bits, packed, 0, bias, null, y);
        return y;
    }
}
