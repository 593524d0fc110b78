package dev.prefix4j.gpt2;

import org.bytedeco.pytorch.Tensor;

/**
 * Modules that a tuning method puts into the blocks, beside the weights that a checkpoint has. {@link Gpt2#extend} puts
 * them in.
 */
public interface Extension {
    /** Nothing. */
    Extension NONE = new Extension() {};

    /**
     * What comes out of an affine map.
     *
     * @param name of the map, such as {@code h.0.attn.c_attn}
     * @param x [n, in]
     * @param y [n, out], without the extension
     */
    default Tensor linear(String name, Tensor x, Tensor y) {
        return y;
    }

    /**
     * What comes out of a half of a block, before it is added to the residual stream.
     *
     * @param name of the half, such as {@code h.0.attn} or {@code h.0.mlp}
     * @param y [..., E], without the extension
     */
    default Tensor half(String name, Tensor y) {
        return y;
    }
}
