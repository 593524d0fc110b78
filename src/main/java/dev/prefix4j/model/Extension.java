package dev.prefix4j.model;

import org.bytedeco.pytorch.Tensor;

/** Modules that a tuning method adds to the blocks, besides the checkpoint's weights. */
public interface Extension {
    /** No extension. */
    Extension NONE = new Extension() {};

    /**
     * The output of an affine map.
     *
     * @param name of the map, such as {@code h.0.attn.c_attn}
     * @param x [n, in]
     * @param y [n, out], without the extension
     */
    default Tensor linear(String name, Tensor x, Tensor y) {
        return y;
    }

    /**
     * The output of a half of a block, before it is added to the residual stream.
     *
     * @param name of the half, such as {@code h.0.attn} or {@code h.0.mlp}
     * @param y [..., E], without the extension
     */
    default Tensor half(String name, Tensor y) {
        return y;
    }

    /**
     * Observes the queries and keys that attention compares in a block.
     *
     * @param queries [B, H, T, D]
     * @param keys of all visible tokens, [B, Hk, S, D]
     */
    default void attention(int layer, Tensor queries, Tensor keys) {}
}
