package dev.prefix4j.kernels;

import static dev.prefix4j.kernels.NativeLibrary.failed;

import java.lang.invoke.MethodHandle;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;

/** Kernels over the vocabulary. n rows, V words. */
public final class VocabularyKernels {
    private final MethodHandle softmaxBlock;
    private final MethodHandle topK;

    VocabularyKernels(NativeLibrary library) {
        this.softmaxBlock = library.bind(Function.SOFTMAX_BLOCK);
        this.topK = library.bind(Function.TOP_K);
    }

    /**
     * {@code p4j_softmax_block}.
     *
     * @param z [n, m], the logits of the words from {@code first} on; rows need not be adjacent
     * @param targets int64 [n]
     * @param top [n], like sum (float64) and ofTarget
     * @param mean [n, E] contiguous, or null
     */
    public void softmaxBlock(
            Tensor z, long first, Tensor targets, Tensor top, Tensor sum, Tensor ofTarget, @Nullable Tensor mean) {
        Matrix logits = Matrix.floats("z", z);
        long n = logits.rows();
        Matrix vectors = mean == null
                ? new Matrix("mean", 0, n, 0, 0)
                : Matrix.floats("mean", mean, n, mean.dim() == 2 ? mean.size(1) : -1);
        try {
            softmaxBlock.invokeExact(
                    logits.address(),
                    logits.ld(),
                    n,
                    logits.columns(),
                    first,
                    Matrix.vector("targets", targets, ScalarType.Long, n),
                    Matrix.vector("top", top, ScalarType.Float, n),
                    Matrix.vector("sum", sum, ScalarType.Double, n),
                    Matrix.vector("ofTarget", ofTarget, ScalarType.Float, n),
                    vectors.dense(),
                    vectors.columns());
        } catch (Throwable e) {
            throw failed(e);
        }
    }

    /** {@code p4j_top_k}: values float32 [n, k] and indices int64 [n, k] of logits [n, V], k at most V. */
    public void topK(Tensor logits, Tensor values, Tensor indices) {
        Matrix in = Matrix.floats("logits", logits);
        Matrix best = Matrix.floats("values", values);
        long k = best.columns();
        best.require(in.rows(), Math.min(k, in.columns()));
        Matrix words = Matrix.of("indices", indices, ScalarType.Long).require(in.rows(), k);
        try {
            topK.invokeExact(in.address(), in.ld(), in.rows(), in.columns(), k, best.dense(), words.dense());
        } catch (Throwable e) {
            throw failed(e);
        }
    }
}
