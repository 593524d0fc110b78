package dev.prefix4j.frozen;

import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;

/**
 * The orthogonal matrix that rows and weights are multiplied by before they are quantized, with libtorch's operators; {@code p4j_q8_rows}
 * defines it. A few inputs of a trained model are much larger than the others and would determine the scale of a row; mixing spreads them
 * (QuaRot, Ashkboos et al. 2024, arXiv:2404.00456).
 */
final class Mixing {
    private static final long SPACING = 16;
    private static final long MOST = 16;

    private Mixing() {}

    /** The rows x [N, K] mixed, a copy; x itself if K is less than 32. */
    static Tensor mix(Tensor x) {
        long columns = x.size(1);
        long together = Math.min(MOST, Long.highestOneBit(columns / SPACING));
        if (together <= 1) {
            return x;
        }
        long block = together * SPACING;
        long whole = columns / block * block;
        Tensor hadamard = hadamard((int) together).to(x.device(), x.scalar_type());
        Tensor y = x.clone();
        transform(y.narrow(1, 0, whole), together, hadamard);
        if (whole < columns) {
            transform(y.narrow(1, columns - block, block), together, hadamard);
        }
        return y;
    }

    /** @param blocks [N, n·16·together], changed in place */
    private static void transform(Tensor blocks, long together, Tensor hadamard) {
        Tensor groups = blocks.reshape(blocks.size(0), blocks.size(1) / (together * SPACING), together, SPACING);
        blocks.copy_(torch.matmul(hadamard, groups).reshape(blocks.size(0), blocks.size(1)));
    }

    /** Hadamard's matrix divided by the square root of its size, [size, size], which is symmetric and its own inverse. */
    private static Tensor hadamard(int size) {
        float entry = (float) (1 / Math.sqrt(size));
        float[] entries = new float[size * size];
        for (int i = 0; i < entries.length; i++) {
            entries[i] = Integer.bitCount(i / size & i % size) % 2 == 0 ? entry : -entry;
        }
        return torch.tensor(entries).reshape(size, size);
    }
}
