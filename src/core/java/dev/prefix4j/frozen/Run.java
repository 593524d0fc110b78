package dev.prefix4j.frozen;

import dev.prefix4j.torch.TensorScope;
import java.util.concurrent.atomic.AtomicInteger;
import org.bytedeco.pytorch.NoGradGuard;
import org.bytedeco.pytorch.Tensor;

/**
 * Keys and values of tokens that rows may attend to: a prefix, examples that were read, an infix. Immutable, independent of scopes
 * and threads, and reference-counted: its memory is freed when the last of its users has closed it.
 *
 * <p>T tokens, L layers, W columns of keys.
 */
public final class Run implements AutoCloseable {
    private final KvLayout layout;
    private final Stored stored;
    private final AtomicInteger users = new AtomicInteger(1);

    private Run(KvLayout layout, Stored stored) {
        this.layout = layout;
        this.stored = stored;
    }

    /**
     * A run with one user, from a copy of vectors in the layout of {@code PrefixShape} and PEFT.
     *
     * @param vectors float32 [T, 2·L·W]; T may be 0
     * @throws IllegalArgumentException if the number of columns is wrong
     */
    public static Run of(Tensor vectors, KvLayout layout) {
        long columns = 2L * layout.layers() * layout.columns();
        if (vectors.dim() != 2 || vectors.size(1) != columns) {
            throw new IllegalArgumentException("run: expected [T, %d], got %s".formatted(columns, vectors.sizes()));
        }
        try (TensorScope scope = new TensorScope();
                NoGradGuard _ = new NoGradGuard()) {
            Tensor memory = Stored.fromVectors(vectors.detach(), layout);
            Tensor own = memory.data_ptr() != null && memory.is_alias_of(vectors) ? memory.clone() : memory;
            return new Run(layout, new Stored(scope.release(own)));
        }
    }

    public KvLayout layout() {
        return layout;
    }

    /** T. */
    public int length() {
        return stored.length();
    }

    Stored stored() {
        return stored;
    }

    /** Adds a user, who closes the run too. */
    public Run retain() {
        if (users.getAndUpdate(n -> n == 0 ? 0 : n + 1) == 0) {
            throw new IllegalStateException("run: its last user has closed it");
        }
        return this;
    }

    /** Removes a user. */
    @Override
    public void close() {
        int before = users.getAndUpdate(n -> Math.max(0, n - 1));
        if (before == 0) {
            throw new IllegalStateException("run: was closed more often than it had users");
        }
        if (before == 1) {
            stored.memory().close();
        }
    }
}
