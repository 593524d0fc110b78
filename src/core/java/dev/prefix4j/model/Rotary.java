package dev.prefix4j.model;

import java.util.Arrays;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;

/**
 * Rotary positions (Su et al. 2021, arXiv:2104.09864): the pair of columns (i, i + R/2) of a head is rotated by the position times
 * frequency i.
 *
 * <p>R = twice the number of frequencies.
 *
 * @param frequencies radians per position, [R/2]; compared by value
 */
public record Rotary(float... frequencies) {
    /**
     * With frequencies of powers of a base: {@code theta^(-2i/R)}.
     *
     * @param columns R
     */
    public static Rotary of(int columns, double theta) {
        float[] frequencies = new float[columns / 2];
        for (int i = 0; i < frequencies.length; i++) {
            float exponent = (float) (2 * i) / columns; // in float32, as the models were trained
            frequencies[i] = 1 / (float) Math.pow((float) theta, exponent);
        }
        return new Rotary(frequencies);
    }

    /** Rotated columns of a head, R. */
    public int columns() {
        return 2 * frequencies.length;
    }

    /** All frequencies divided by a factor: positions are interpolated (Chen et al. 2023, arXiv:2306.15595). */
    public Rotary linear(double factor) {
        float[] slower = frequencies.clone();
        for (int i = 0; i < slower.length; i++) {
            slower[i] /= (float) factor;
        }
        return new Rotary(slower);
    }

    /**
     * Long waves slowed by a factor, short ones unchanged, with a smooth transition between: Llama 3.1 (Transformers'
     * {@code _compute_llama3_parameters}).
     *
     * @param low waves longer than {@code original / low} positions are slowed by the full factor
     * @param high waves shorter than {@code original / high} positions are unchanged
     * @param original context length of the original training
     */
    public Rotary llama3(double factor, double low, double high, int original) {
        float[] changed = frequencies.clone();
        for (int i = 0; i < changed.length; i++) {
            double wave = 2 * Math.PI / changed[i];
            if (wave > original / low) {
                changed[i] = (float) (changed[i] / factor);
            } else if (wave >= original / high) {
                double smooth = (original / wave - low) / (high - low);
                changed[i] = (float) ((1 - smooth) * changed[i] / factor + smooth * changed[i]);
            }
        }
        return new Rotary(changed);
    }

    /**
     * The rotations of positions.
     *
     * @param positions may be negative
     * @return float32 [N, R] on the CPU, R/2 cosines, then R/2 sines in each row
     */
    public Tensor turns(long... positions) {
        int half = frequencies.length;
        float[] values = new float[positions.length * 2 * half];
        for (int n = 0; n < positions.length; n++) {
            for (int i = 0; i < half; i++) {
                float angle = positions[n] * frequencies[i]; // float32, as everywhere
                values[n * 2 * half + i] = (float) Math.cos(angle);
                values[n * 2 * half + half + i] = (float) Math.sin(angle);
            }
        }
        return torch.tensor(values).view(positions.length, 2L * half);
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof Rotary(float[] its) && Arrays.equals(frequencies, its);
    }

    @Override
    public int hashCode() {
        return Arrays.hashCode(frequencies);
    }

    @Override
    public String toString() {
        return "Rotary" + Arrays.toString(frequencies);
    }
}
