package dev.prefix4j.torch;

import java.util.Iterator;
import org.bytedeco.javacpp.Pointer;
import org.bytedeco.javacpp.PointerScope;
import org.jspecify.annotations.Nullable;

/**
 * Frees every tensor that is made in it, save those that are said to survive.
 *
 * <pre>{@code
 * Tensor logits(...) {
 *     try (TensorScope scope = new TensorScope()) {
 *         Tensor h = hidden(...);
 *         return scope.keep(head.matmul(h));   // h is freed here, the result is not
 *     }
 * }
 * }</pre>
 *
 * <p>A kept tensor belongs to the scope around this one; without one it belongs to whoever holds it, who closes it.
 * Scopes nest, one thread each. A training or decoding step opens one, so that native memory never waits for the
 * garbage collector.
 */
public final class TensorScope implements AutoCloseable {
    /** What a tensor without an object behind it is called in messages. */
    public static final String CLOSED =
            "a closed tensor: its TensorScope has ended, or it was closed itself; keep() lets a tensor outlive its"
                    + " scope";

    private final @Nullable PointerScope outer = enclosing();
    private final PointerScope scope = new PointerScope();

    /** The scope that is open on this thread; none is no error, unlike in {@link PointerScope#getInnerScope()}. */
    private static @Nullable PointerScope enclosing() {
        Iterator<PointerScope> open = PointerScope.getScopeIterator();
        return open != null && open.hasNext() ? open.next() : null;
    }

    /**
     * Lets a tensor made in this scope outlive it.
     *
     * @return the same tensor
     */
    public <P extends Pointer> P keep(P tensor) {
        // Detaching gives up the scope's reference, the only one: take another first.
        tensor.retainReference();
        scope.detach(tensor);
        if (outer != null) {
            outer.attach(tensor);
            tensor.releaseReference();
        }
        return tensor;
    }

    /**
     * Takes a tensor made in this scope out of all scopes: it belongs to whoever holds it, who closes it.
     *
     * @return the same tensor
     */
    public <P extends Pointer> P release(P tensor) {
        tensor.retainReference();
        scope.detach(tensor);
        return tensor;
    }

    /** The scope that is open now, for what is made later and is to live as long; there may be none. */
    public static Owner owner() {
        return new Owner(enclosing());
    }

    /** A scope that takes tensors which are made in others. */
    public static final class Owner {
        private final @Nullable PointerScope scope; // null: none

        private Owner(@Nullable PointerScope scope) {
            this.scope = scope;
        }
    }

    /**
     * Moves a tensor made in this scope to another one that is still open; without one it belongs to whoever holds it.
     *
     * @return the same tensor
     */
    public <P extends Pointer> P give(P tensor, Owner owner) {
        release(tensor);
        if (owner.scope != null) {
            owner.scope.attach(tensor);
            tensor.releaseReference();
        }
        return tensor;
    }

    /** Frees what was made in this scope and not kept. */
    @Override
    public void close() {
        scope.close();
    }
}
