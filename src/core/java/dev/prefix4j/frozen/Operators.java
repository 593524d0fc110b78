package dev.prefix4j.frozen;

import dev.prefix4j.model.BlockWeights.NormWeights;
import dev.prefix4j.model.ModelConfig.Mlp;
import dev.prefix4j.model.ModelConfig.Norm;
import java.util.function.Consumer;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.jspecify.annotations.Nullable;

/**
 * What a block does to rows between matrix products, and its derivatives. {@link AtenOperators} is the definition,
 * {@link NativeOperators} the fast implementation.
 *
 * <p>N rows, E width, H heads of queries, Hk of keys, D head width.
 */
sealed interface Operators permits AtenOperators, NativeOperators {
    /**
     * Normalized rows and what the backward pass needs.
     *
     * @param rows [N, E]
     */
    record Normalized(Rows rows, Moments moments) {}

    /**
     * The statistics that rows were normalized by.
     *
     * @param mean [N]; null if the mean is not subtracted
     * @param rstd [N], the reciprocal of the standard deviation, or of the root mean square
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

    /** Normalizes x [N, E]; the rows are returned in a form. */
    Normalized normalize(Tensor x, NormWeights weights, Norm how, Precision form);

    /** Adds the gradient of the normalization with respect to x to dx [N, E], for dy [N, E] float32. */
    void normalizeBackward(Tensor dy, Tensor x, NormWeights weights, Moments of, Tensor dx);

    /**
     * The output of a block's activation and what the backward pass needs.
     *
     * @param rows [N, F]
     * @param kept the input, float32; or, for a function without gates whose result is in 8 bits, the derivative at the input, uint8
     *     [N, F], as in {@code p4j_gelu}
     */
    record Activated(Rows rows, Tensor kept) {
        /** Whether a derivative was kept. */
        static boolean isSlope(Tensor kept) {
            return kept.scalar_type().intern() == torch.ScalarType.Byte;
        }
    }

    /** The activation of h [N, F], or with gates, of h [N, 2F]; the rows are returned in a form. */
    Activated activate(Mlp how, Tensor h, Precision form);

    /** The gradient with respect to the input, as rows in a form; dy [N, F] float32 is overwritten. */
    Rows activateBackward(Mlp how, Tensor dy, Tensor kept, Precision form);

    /**
     * A float32 product {@code x w + bias}.
     *
     * @param x [N, K], rows need not be adjacent
     * @param w [K, M], with contiguous rows or columns
     * @param bias [M]; null: none
     */
    Tensor multiply(Tensor x, Tensor w, @Nullable Tensor bias);

    /** Converts x [N, K] float32 to rows for a matrix product; its rows need not be adjacent. */
    Rows rows(Tensor x, Precision form);

    /**
     * Applies rotary positions to heads, in place.
     *
     * @param x [N, heads · D], rows need not be adjacent
     * @param width of a head, D
     * @param turns [N, R], for each row the cosines, then the sines
     * @param back rotate in the opposite direction
     */
    void rotate(Tensor x, int width, Tensor turns, boolean back);

    /**
     * Heads that were normalized separately.
     *
     * @param before a copy of the heads before normalization, [N, heads · D]
     * @param rstd [N, heads]
     */
    record NormalizedHeads(Tensor before, Tensor rstd) {}

    /** RMS-normalizes each head of x [N, heads · D], with weight [D], in place; rows of x need not be adjacent. */
    NormalizedHeads normalizeHeads(Tensor x, Tensor weight, double epsilon);

    /** Replaces dy [N, heads · D] by the gradient with respect to the heads before normalization; rows need not be adjacent. */
    void normalizeHeadsBackward(Tensor dy, Tensor weight, NormalizedHeads of);

    /**
     * A matrix as the sum of two matrices of 8-bit rows, exact to about 1/32,000 of a row's largest magnitude.
     *
     * @param fine the remainder after {@code coarse}
     */
    record Split(Rows.Int8 coarse, Rows.Int8 fine) {}

    /** Splits x [N, K] float32, which is overwritten; its rows need not be adjacent. */
    Split split(Tensor x);

    /**
     * The output of attention and what the backward pass needs.
     *
     * @param y [rows of q, H·D]
     * @param lse [rows of q, H], logarithm of the sum of the exponentials of the scores
     */
    record Attended(Tensor y, Tensor lse) {}

    /**
     * Causal attention of every sequence to what it sees and to itself.
     *
     * @param q [rows of q, H·D], rows need not be adjacent
     * @param k [N, Hk·D], like v; rows need not be adjacent
     */
    Attended attend(Packing packing, Tensor q, Tensor k, Tensor v);

    /**
     * The backward pass: writes dq, dk and dv, and adds to the gradients of what sequences see.
     *
     * @param gradients receives dq, dk and dv; its tensors are null if only the gradients of what sequences see are wanted
     */
    void attendBackward(
            Packing packing, Tensor dy, Attended of, Tensor q, Tensor k, Tensor v, AttentionGradients gradients);

    /** Gradients with the shapes of the arguments of {@link #attend}. */
    record AttentionGradients(
            @Nullable Tensor dq,
            @Nullable Tensor dk,
            @Nullable Tensor dv) {
        static final AttentionGradients NONE = new AttentionGradients(null, null, null);
    }

    /**
     * Attention of one query of each row to all that the row sees.
     *
     * @param q [R, H·D], rows need not be adjacent
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
     * Adds a block of words to an online softmax.
     *
     * @param z logits [n, C] of the words from {@code first} on; replaced by {@code exp(z - top)}
     * @param softmax is updated
     * @param mean [n, E], the sum of vectors so far, weighted by {@code exp(logit - top)}; rescaled to the new top; null: none
     */
    void softmaxBlock(Tensor z, long first, OnlineSoftmax softmax, @Nullable Tensor mean);
}
