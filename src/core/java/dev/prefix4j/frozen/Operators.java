package dev.prefix4j.frozen;

import dev.prefix4j.model.BlockWeights.NormWeights;
import dev.prefix4j.model.ModelConfig.Mlp;
import dev.prefix4j.model.ModelConfig.Norm;
import java.util.function.Consumer;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.jspecify.annotations.Nullable;

/**
 * What a block does to rows between matrix products, and the derivatives of it. {@link AtenOperators} is the definition,
 * {@link NativeOperators} the fast one.
 *
 * <p>N rows, E width, H heads of queries, Hk of keys, D head width.
 */
sealed interface Operators permits AtenOperators, NativeOperators {
    /**
     * Normalized rows and what the way back needs.
     *
     * @param rows [N, E]
     */
    record Normalized(Rows rows, Moments moments) {}

    /**
     * What rows were normalized by.
     *
     * @param mean [N]; null where it does not count
     * @param rstd [N], one by the standard deviation, or by the root of the mean square
     */
    record Moments(@Nullable Tensor mean, Tensor rstd) {
        /** Lets it outlive a scope. */
        void keep(Consumer<Tensor> keeper) {
            if (mean != null) {
                keeper.accept(mean);
            }
            keeper.accept(rstd);
        }
    }

    /** Normalization of x [N, E] to rows of a form. */
    Normalized normalize(Tensor x, NormWeights weights, Norm how, Precision form);

    /** Adds to dx [N, E] the gradient of the normalization with respect to x, for dy [N, E] float32. */
    void normalizeBackward(Tensor dy, Tensor x, NormWeights weights, Moments of, Tensor dx);

    /**
     * What comes out of the activation in a block and what the way back needs.
     *
     * @param rows [N, F]
     * @param kept float32: what went in; or, of a function without gates whose result is in 8 bits, its derivative there, uint8 [N, F],
     *     as {@code p4j_gelu} says
     */
    record Activated(Rows rows, Tensor kept) {
        /** Whether a derivative was kept. */
        static boolean isSlope(Tensor kept) {
            return kept.scalar_type().intern() == torch.ScalarType.Byte;
        }
    }

    /** The activation function of h [N, F], or of its gates, h [N, 2F]; to rows of a form. */
    Activated activate(Mlp how, Tensor h, Precision form);

    /** The gradient with respect to what went in, as rows of a form; dy [N, F] float32 is used up. */
    Rows activateBackward(Mlp how, Tensor dy, Tensor kept, Precision form);

    /**
     * A float32 product {@code x w + bias}.
     *
     * @param x [N, K], rows may lie apart
     * @param w [K, M], where rows or columns are contiguous
     * @param bias [M]; null: none
     */
    Tensor multiply(Tensor x, Tensor w, @Nullable Tensor bias);

    /** Rows for a matrix product, of x [N, K] float32; the rows may lie apart. */
    Rows rows(Tensor x, Precision form);

    /**
     * Turns heads in place by rotary positions.
     *
     * @param x [N, heads · D], rows may lie apart
     * @param width of a head, D
     * @param turns [N, R], of each row the cosines, then the sines
     * @param back the other way round
     */
    void rotate(Tensor x, int width, Tensor turns, boolean back);

    /**
     * Heads that were normalized, each by itself.
     *
     * @param before a copy of what they were, [N, heads · D]
     * @param rstd [N, heads]
     */
    record NormalizedHeads(Tensor before, Tensor rstd) {}

    /** Divides each head of x [N, heads · D], whose rows may lie apart, by the root of its mean square, times weight [D]; in place. */
    NormalizedHeads normalizeHeads(Tensor x, Tensor weight, double epsilon);

    /** The gradient with respect to what the heads were, in the place of dy [N, heads · D], whose rows may lie apart. */
    void normalizeHeadsBackward(Tensor dy, Tensor weight, NormalizedHeads of);

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
     * @param y [rows of q, H·D]
     * @param lse [rows of q, H], logarithm of the sum of the exponentials of the scores
     */
    record Attended(Tensor y, Tensor lse) {}

    /**
     * Causal attention of every sequence to what it sees and to itself.
     *
     * @param q [rows of q, H·D], rows may lie apart
     * @param k [N, Hk·D], rows may lie apart, as those of v
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
    record AttentionGradients(
            @Nullable Tensor dq,
            @Nullable Tensor dk,
            @Nullable Tensor dv) {
        static final AttentionGradients NONE = new AttentionGradients(null, null, null);
    }

    /**
     * Attention of one query of each row to all that the row sees.
     *
     * @param q [R, H·D], rows may lie apart
     * @return [R, H·D]
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
    void softmaxBlock(Tensor z, long first, OnlineSoftmax softmax, @Nullable Tensor mean);
}
