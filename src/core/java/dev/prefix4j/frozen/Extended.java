package dev.prefix4j.frozen;

import dev.prefix4j.Named;
import dev.prefix4j.model.Extension;
import dev.prefix4j.model.Extension.Bottleneck;
import dev.prefix4j.model.Extension.LowRank;
import java.util.ArrayList;
import java.util.List;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.ScalarTypeOptional;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.jspecify.annotations.Nullable;

/**
 * The extensions of a batch's rows, with explicit rules forward and back. All of it is float32. With our kernels a row's numbers, and the
 * gradients of an extension, are the same bits whatever other rows there are: products sum in one order, and a gradient sums over the
 * extension's own rows.
 *
 * <p>n rows of a part, r rank, m bottleneck, E width.
 */
record Extended(List<Part> parts, Operators operators) {
    /**
     * Rows with one extension.
     *
     * @param gradient takes the gradient, is added to; null: not wanted
     * @param rows int64 [n]; null: all
     * @param asked where they stand among the rows that the last block is asked for, int64; null: all
     */
    record Part(
            Extension extension,
            @Nullable Extension gradient,
            @Nullable Tensor rows,
            @Nullable Tensor asked) {
        /** Its rows of x. */
        Tensor select(Tensor x) {
            return rows == null ? x : torch.index_select(x, 0, rows);
        }

        /** Puts its rows of x in their places. */
        Tensor place(Tensor into, Tensor own) {
            return rows == null ? own : into.index_copy_(0, rows, own);
        }
    }

    /** One extension of all rows. */
    static Extended all(Extension extension, Operators operators) {
        return new Extended(
                extension.isEmpty() ? List.of() : List.of(new Part(extension, null, null, null)), operators);
    }

    /** The same among the rows that the last block is asked for. */
    Extended ofAsked() {
        return new Extended(
                parts.stream()
                        .map(part -> new Part(part.extension(), part.gradient(), part.asked(), null))
                        .toList(),
                operators);
    }

    /** A part among its own rows. */
    Extended within(Part part) {
        return new Extended(List.of(new Part(part.extension(), part.gradient(), null, null)), operators);
    }

    /**
     * Some outputs of a checkpoint's map, within those of a frozen map that was made of it.
     *
     * @param first of the checkpoint's map
     * @param at first of the frozen map
     */
    record Slot(String map, long first, long count, long at) {}

    /** Whether there are changes of maps. */
    boolean changes(List<Slot> slots) {
        return parts.stream()
                .anyMatch(part ->
                        slots.stream().anyMatch(slot -> part.extension().maps().containsKey(slot.map())));
    }

    /** The parts with networks behind a half of a block. */
    List<Part> behind(String half) {
        return parts.stream()
                .filter(part -> part.extension().halves().containsKey(half))
                .toList();
    }

    /**
     * Adds the changes of maps.
     *
     * @param x [N, in]
     * @param y what comes out of the frozen map, is added to
     */
    void addChanges(List<Slot> slots, Tensor x, Tensor y) {
        for (Part part : parts) {
            for (Slot slot : slots) {
                LowRank map = part.extension().maps().get(slot.map());
                if (map != null) {
                    Tensor low = operators
                            .multiply(part.select(x), map.a().t(), null)
                            .mul_(new Scalar(map.scale())); // [n, r]
                    Tensor change =
                            operators.multiply(low, outputs(map.b(), slot).t(), null); // [n, count]
                    add(y.narrow(1, slot.at(), slot.count()), part, change);
                }
            }
        }
    }

    private static Tensor outputs(Tensor b, Slot slot) {
        return b.narrow(0, slot.first(), slot.count());
    }

    private static void add(Tensor to, Part part, Tensor own) {
        if (part.rows() == null) {
            to.add_(own);
        } else {
            to.index_add_(0, part.rows(), own);
        }
    }

    /**
     * The way back of {@link #addChanges}: sums the gradients of the low-rank maps.
     *
     * @param dy with respect to what came out of the frozen map
     * @param dx [N, in], is added to; null: not wanted
     */
    void changesBackward(List<Slot> slots, Tensor x, Tensor dy, @Nullable Tensor dx) {
        for (Part part : parts) {
            for (Slot slot : slots) {
                LowRank map = part.extension().maps().get(slot.map());
                if (map == null) {
                    continue;
                }
                Tensor own = part.select(x); // [n, in]
                Tensor dOwn = part.select(dy.narrow(1, slot.at(), slot.count())); // [n, count]
                Tensor dLow =
                        operators.multiply(dOwn, outputs(map.b(), slot), null).mul_(new Scalar(map.scale())); // [n, r]
                Extension gradients = part.gradient();
                if (gradients != null) {
                    LowRank gradient = Named.get(gradients.maps(), slot.map());
                    Tensor low = operators.multiply(own, map.a().t(), null).mul_(new Scalar(map.scale())); // [n, r]
                    outputs(gradient.b(), slot).add_(overRows(low, dOwn).t());
                    gradient.a().add_(overRows(dLow, own));
                }
                if (dx != null) {
                    add(dx, part, operators.multiply(dLow, map.a(), null));
                }
            }
        }
    }

    /** x [n, a] and y [n, b] to xᵀ y, [a, b]. */
    private Tensor overRows(Tensor x, Tensor y) {
        return operators.multiply(x.t().contiguous(), y, null);
    }

    /** The network behind a half, of an extension that has one there. */
    private static Bottleneck behind(Extension of, String half) {
        return Named.get(of.halves(), half);
    }

    /** y [n, E] of a part's rows, with what the network behind a half adds. */
    Tensor network(Part part, String half, Tensor y) {
        Bottleneck net = behind(part.extension(), half);
        Tensor inner = gelu(operators.multiply(y, net.down(), net.downBias())); // [n, m]
        return y.add(operators.multiply(inner, net.up(), net.upBias()));
    }

    /**
     * The way back of {@link #network}: sums its gradients.
     *
     * @param d [n, E]
     * @return with respect to y, [n, E]
     */
    Tensor networkBackward(Part part, String half, Tensor y, Tensor d) {
        Bottleneck net = behind(part.extension(), half);
        Tensor inner = operators.multiply(y, net.down(), net.downBias()); // [n, m]
        Tensor dInner = geluBackward(operators.multiply(d, net.up().t(), null), inner); // [n, m]
        Extension gradients = part.gradient();
        if (gradients != null) {
            Bottleneck gradient = behind(gradients, half);
            gradient.up().add_(overRows(gelu(inner), d));
            gradient.upBias().add_(sum(d));
            gradient.down().add_(overRows(y, dInner));
            gradient.downBias().add_(sum(dInner));
        }
        return d.add(operators.multiply(dInner, net.down().t(), null));
    }

    // In float64, whose last bits the rounding to float32 takes away: libtorch's vectors and what is left over for its
    // scalar code differ
    // there, and which numbers are left over depends on how many rows there are.

    private static Tensor gelu(Tensor x) {
        return torch.gelu(x.to(torch.ScalarType.Double)).to(torch.ScalarType.Float);
    }

    private static Tensor geluBackward(Tensor dy, Tensor x) {
        return torch.gelu_backward(dy.to(torch.ScalarType.Double), x.to(torch.ScalarType.Double))
                .to(torch.ScalarType.Float);
    }

    private static Tensor sum(Tensor x) {
        return torch.sum(x, new long[] {0}, false, new ScalarTypeOptional());
    }

    /** Tensors of its own, that outlive a pause. */
    List<Tensor> tensors() {
        List<Tensor> all = new ArrayList<>();
        for (Part part : parts) {
            if (part.rows() != null) {
                all.add(part.rows());
            }
            if (part.asked() != null) {
                all.add(part.asked());
            }
            if (part.gradient() != null) {
                all.addAll(part.gradient().tensors());
            }
        }
        return all;
    }
}
