package dev.prefix4j.torch;

import org.bytedeco.pytorch.GeneratorOptional;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;

/**
 * Random numbers from a separate generator on the CPU: they depend on a seed and on earlier draws, not on what else the process
 * draws. They are those of libtorch's own generator with the same seed.
 *
 * <p>A generator belongs to the scope in which it was made.
 */
public final class Draws {
    private final GeneratorOptional generator;

    /** A generator with a seed. */
    public Draws(long seed) {
        TorchRuntime.require();
        this.generator = new GeneratorOptional(torch.createCPUGenerator(seed));
    }

    /** Normally distributed numbers, float32 on the CPU. */
    public Tensor normal(double deviation, long... shape) {
        return torch.empty(shape).normal_(0, deviation, generator);
    }

    /** Uniformly distributed numbers within ±bound, float32 on the CPU. */
    public Tensor uniform(double bound, long... shape) {
        return torch.empty(shape).uniform_(-bound, bound, generator);
    }

    /** Ones with the given probability, otherwise zeros, float32 on the CPU. */
    public Tensor ones(double probability, long... shape) {
        return torch.empty(shape).bernoulli_(probability, generator);
    }
}
