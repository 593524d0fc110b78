package dev.prefix4j.kernels;

import static dev.prefix4j.kernels.NativeLibrary.failed;

import java.lang.foreign.Arena;
import java.lang.invoke.MethodHandle;
import java.lang.ref.Reference;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/** Attention of the rows of a batch to segments of keys and values. R rows of q, E = H · D columns. */
public final class AttentionKernels {
    private final MethodHandle forward;
    private final MethodHandle backward;
    private final MethodHandle decode;

    AttentionKernels(NativeLibrary library) {
        this.forward = library.bind(Function.ATTENTION_FORWARD);
        this.backward = library.bind(Function.ATTENTION_BACKWARD);
        this.decode = library.bind(Function.ATTENTION_DECODE);
    }

    /**
     * {@code p4j_attention_forward}.
     *
     * @param q [R, E], like y; rows need not be adjacent
     * @param lse [R, H] contiguous, or null
     */
    public void forward(Attention how, Tensor q, Tensor y, @Nullable Tensor lse) {
        Matrix queries = Matrix.floats("q", q, how.queries(), how.width());
        Matrix out = Matrix.floats("y", y, how.queries(), how.width());
        try (Arena arena = Arena.ofConfined()) {
            forward.invokeExact(
                    how.struct(arena, false),
                    queries.address(),
                    queries.ld(),
                    out.address(),
                    out.ld(),
                    lse(how, lse).dense());
        } catch (Throwable e) {
            throw failed(e);
        } finally {
            Reference.reachabilityFence(how);
        }
    }

    private static Matrix lse(Attention how, @Nullable Tensor lse) {
        return Matrix.floatsOrNone("lse", lse, how.queries(), how.heads().queries());
    }

    /**
     * {@code p4j_attention_backward}: writes dq and the gradients of rows' own tokens, adds to those of other segments.
     *
     * @param dy [R, E], with the same row stride as y
     * @param lse [R, H] contiguous, as {@link #forward} wrote it
     * @param dq [R, E], rows need not be adjacent; null: only the segments' gradients are computed
     */
    public void backward(Attention how, Tensor dy, Tensor y, Tensor lse, Tensor q, @Nullable Tensor dq) {
        Matrix out = Matrix.floats("y", y, how.queries(), how.width());
        Matrix up = Matrix.floats("dy", dy, how.queries(), how.width()).as(out);
        Matrix queries = Matrix.floats("q", q, how.queries(), how.width());
        Matrix down = Matrix.floatsOrNone("dq", dq, how.queries(), how.width());
        if (lse == null) {
            throw new IllegalArgumentException("kernel: lse: expected a tensor, got null");
        }
        try (Arena arena = Arena.ofConfined()) {
            backward.invokeExact(
                    how.struct(arena, false),
                    how.groups(arena),
                    up.address(),
                    out.address(),
                    out.ld(),
                    lse(how, lse).dense(),
                    queries.address(),
                    queries.ld(),
                    down.address(),
                    down.ld());
        } catch (Throwable e) {
            throw failed(e);
        } finally {
            Reference.reachabilityFence(how);
        }
    }

    /** {@code p4j_attention_decode}: one query for each row; q and y [rows, E], rows need not be adjacent. */
    public void decode(Attention how, Tensor q, Tensor y) {
        if (!how.oneEach()) {
            throw new IllegalArgumentException(
                    "kernel: expected one query for each of %d rows, got %d".formatted(how.rows(), how.queries()));
        }
        Matrix queries = Matrix.floats("q", q, how.rows(), how.width());
        Matrix out = Matrix.floats("y", y, how.rows(), how.width());
        try (Arena arena = Arena.ofConfined()) {
            decode.invokeExact(how.struct(arena, true), queries.address(), queries.ld(), out.address(), out.ld());
        } catch (Throwable e) {
            throw failed(e);
        } finally {
            Reference.reachabilityFence(how);
        }
    }
}
