package dev.prefix4j.model;

import org.bytedeco.pytorch.Tensor;

/** Modules that a tuning method puts into the blocks, beside the weights that a checkpoint has. */
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

    /**
     * What attention compares in a block, as it goes by.
     *
     * @param queries [B, H, T, D]
     * @param keys of all that is seen, [B, Hk, S, D]
     */
    default void attention(int layer, Tensor queries, Tensor keys) {}
}
