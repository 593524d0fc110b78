package dev.prefix4j.frozen;

import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch;

/** The heads of a row, with libtorch's operators. */
final class AtenHeads {
    private AtenHeads() {}

    /** [N, heads · D] as [N, heads, D]. */
    static Tensor of(Tensor x, long width) {
        return x.unflatten(1, new long[] {x.size(1) / width, width});
    }

    /** x [N, heads · D], rotated by turns [N, R] or [1, R]. */
    static Tensor turned(Tensor x, long width, Tensor turns, boolean back) {
        long half = turns.size(1) / 2;
        Tensor heads = of(x, width); // [N, heads, D]
        Tensor cosine = turns.narrow(1, 0, half).unsqueeze(1); // [N, 1, R/2]
        Tensor sine = turns.narrow(1, half, half).unsqueeze(1);
        Tensor a = heads.narrow(2, 0, half);
        Tensor b = heads.narrow(2, half, half);
        Tensor across = back ? sine.neg() : sine;
        TensorVector parts =
                new TensorVector(a.mul(cosine).sub(b.mul(across)), b.mul(cosine).add(a.mul(across)));
        if (width > 2 * half) {
            parts.push_back(heads.narrow(2, 2 * half, width - 2 * half));
        }
        return torch.cat(parts, 2).reshape(x.size(0), x.size(1));
    }
}
