package dev.prefix4j.kernels;

import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;

/** The transform that {@code p4j_q8_rows} describes, as a matrix made from its definition. */
public final class MixedRows {
    private MixedRows() {}

    /** The mixed rows of x [N, K]. */
    public static Tensor of(Tensor x) {
        return x.matmul(matrix((int) x.size(1)));
    }

    /** [K, K] */
    public static Tensor matrix(int columns) {
        int together = 1;
        while (together < 16 && 16 * 2 * together <= columns) {
            together *= 2;
        }
        if (together == 1) {
            return torch.eye(columns);
        }
        int block = 16 * together;
        Tensor product = torch.eye(columns);
        for (int from = 0; from + block <= columns; from += block) {
            product = product.matmul(block(columns, from, together));
        }
        return columns % block == 0 ? product : product.matmul(block(columns, columns - block, together));
    }

    /** Column from + 16 a + i of the result is the sum over b of (-1)^(bits that a and b share) / sqrt(t) of column from + 16 b + i. */
    private static Tensor block(int columns, int from, int together) {
        float[] values = new float[columns * columns];
        for (int i = 0; i < columns; i++) {
            values[i * columns + i] = 1;
        }
        for (int i = 0; i < 16; i++) {
            for (int a = 0; a < together; a++) {
                for (int b = 0; b < together; b++) {
                    int sign = Integer.bitCount(a & b) % 2 == 0 ? 1 : -1;
                    values[(from + 16 * b + i) * columns + from + 16 * a + i] = (float) (sign / Math.sqrt(together));
                }
            }
        }
        return torch.tensor(values).reshape(columns, columns);
    }
}
