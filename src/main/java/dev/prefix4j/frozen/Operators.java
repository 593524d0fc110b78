package dev.prefix4j.frozen;

import dev.prefix4j.gpt2.Gpt2Config.Activation;
import org.bytedeco.pytorch.Tensor;

/**
 * What a block does to rows between matrix products, and the derivatives of it. {@link AtenOperators} is the definition,
 * {@link NativeOperators} the fast one.
 *
 * <p>N rows, E width, H heads, D head width, L layers.
 */
sealed interface Operators permits AtenOperators, NativeOperators {
    /**
     * A normalized row and what the way back needs.
     *
     * @param rows [N, E]
     * @param mean [N]
     * @param rstd [N], one by the standard deviation
     */
    record Normalized(Rows rows, Tensor mean, Tensor rstd) {
        /** What the way back needs of it. */
        Normalized withoutRows() {
            return new Normalized(null, mean, rstd);
        }
    }

    /** Layer normalization of x [N, E]. */
    Normalized normalize(Tensor x, Tensor weight, Tensor bias, double epsilon);

    /** Adds to dx [N, E] the gradient of layer normalization with respect to x, for dy [N, E] float32. */
    void normalizeBackward(Tensor dy, Tensor x, Tensor weight, Normalized of, Tensor dx);

    /**
     * An activation function's result and what the way back needs.
     *
     * @param rows [N, F]
     * @param kept float32: its argument h [N, F]; 8 bits: its derivative there, uint8 [N, F], as {@code p4j_gelu} says
     */
    record Activated(Rows rows, Tensor kept) {}

    /** The activation function of h [N, F]. */
    Activated activate(Activation function, Tensor h);

    /** The gradient with respect to the argument, [N, F]; dy [N, F] float32 is used up. */
    Rows activateBackward(Activation function, Tensor dy, Tensor kept);

    /** Rows for a matrix product, of x [N, K] float32; the rows may lie apart. */
    Rows rows(Tensor x);

    /**
     * A matrix as the sum of two of 8-bit rows, exact to about 1/32,000 of the largest magnitude of a row.
     *
     * @param fine what {@code coarse} does not hold
     */
    record Split(Rows.Int8 coarse, Rows.Int8 fine) {}

    /** Two parts of x [N, K] float32, which is used up; the rows may lie apart. */
    Split split(Tensor x);

    /**
     * What attention gives and what the way back needs.
     *
     * @param y [rows of q, E]
     * @param lse [rows of q, H], logarithm of the sum of the exponentials of the scores
     */
    record Attended(Tensor y, Tensor lse) {}

    /**
     * Causal attention of every sequence to what it sees and to itself.
     *
     * @param q [rows of q, E], rows may lie apart
     * @param k [N, E], rows may lie apart, as those of v
     */
    Attended attend(Packing packing, Tensor q, Tensor k, Tensor v);

    /**
     * The way back: writes dq, dk and dv, and adds to the gradients of what sequences see.
     *
     * @param gradients where to; its tensors are null where only what sequences see counts
     */
    void attendBackward(
            Packing packing, Tensor dy, Attended of, Tensor q, Tensor k, Tensor v, AttentionGradients gradients);

    /** Tensors as the arguments of {@link #attend}. */
    record AttentionGradients(Tensor dq, Tensor dk, Tensor dv) {
        static final AttentionGradients NONE = new AttentionGradients(null, null, null);
    }

    /**
     * Attention of one query of each row to all that the row sees.
     *
     * @param q [R, E], rows may lie apart
     * @return [R, E]
     */
    Tensor attendStep(Sight sight, Tensor q);

    /**
     * The likeliest words of rows.
     *
     * @param values log-probabilities [n, k], best first
     * @param indices int64 [n, k]
     */
    record Top(Tensor values, Tensor indices) {}

    /** The k likeliest words for each row of logits [n, V]. */
    Top top(Tensor logits, int k);

    /**
     * A block of words more in a softmax.
     *
     * @param z logits [n, C] of the words from {@code first} on; {@code exp(z - top)} takes their place
     * @param softmax goes on
     * @param mean [n, E], a sum of vectors so far, weighted by {@code exp(logit - top)}: follows the new top; null: none
     */
    void softmaxBlock(Tensor z, long first, OnlineSoftmax softmax, Tensor mean);
}
