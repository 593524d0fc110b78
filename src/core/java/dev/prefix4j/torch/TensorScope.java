package dev.prefix4j.torch;

import java.util.Iterator;
import org.bytedeco.javacpp.Pointer;
import org.bytedeco.javacpp.PointerScope;
import org.jspecify.annotations.Nullable;

/**
 * Frees every tensor that is made in it, except those that are explicitly kept.
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
 * <p>A kept tensor belongs to the enclosing scope; if there is none, its holder must close it. Scopes nest, and each belongs to
 * one thread. A training or decoding step opens one, so that native memory never waits for the garbage collector.
 */
public final class TensorScope implements AutoCloseable {
    /** What a closed tensor is called in messages. */
    public static final String CLOSED =
            "a closed tensor: its TensorScope has ended, or it was closed itself; keep() lets a tensor outlive its"
                    + " scope";

    private final @Nullable PointerScope outer = enclosing();
    private final PointerScope scope = new PointerScope();

    /** The scope that is open on this thread; null if there is none, unlike {@link PointerScope#getInnerScope()}, which fails. */
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
        // Detaching drops the scope's reference, which is the only one: take another first.
        tensor.retainReference();
        scope.detach(tensor);
        if (outer != null) {
            outer.attach(tensor);
            tensor.releaseReference();
        }
        return tensor;
    }

    /**
     * Takes a tensor made in this scope out of all scopes; its holder must close it.
     *
     * @return the same tensor
     */
    public <P extends Pointer> P release(P tensor) {
        tensor.retainReference();
        scope.detach(tensor);
        return tensor;
    }

    /** The scope that is open now, if any, for tensors that are made later and should live as long. */
    public static Owner owner() {
        return new Owner(enclosing());
    }

    /** A scope that can receive tensors made in other scopes. */
    public static final class Owner {
        private final @Nullable PointerScope scope; // null: none

        private Owner(@Nullable PointerScope scope) {
            this.scope = scope;
        }
    }

    /**
     * Moves a tensor made in this scope to another one that is still open; if there is none, its holder must close it.
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
