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
 * The extensions of a batch's rows, with explicit forward and backward rules. Everything is float32. With our kernels the values of
 * a row and the gradients of an extension are bit-identical whatever other rows there are: products sum in a fixed order, and a
 * gradient sums over the extension's own rows.
 *
 * <p>n rows of a part, r rank, m bottleneck, E width.
 */
record Extended(List<Part> parts, Operators operators) {
    /**
     * Rows with one extension.
     *
     * @param gradient the gradient is added to it; null: not wanted
     * @param rows int64 [n]; null: all
     * @param asked their indices among the rows requested from the last block, int64; null: all
     */
    record Part(
            Extension extension,
            @Nullable Extension gradient,
            @Nullable Tensor rows,
            @Nullable Tensor asked) {
        /** The part's rows of x. */
        Tensor select(Tensor x) {
            return rows == null ? x : torch.index_select(x, 0, rows);
        }

        /** Writes the part's rows to their places in {@code into}; returns the result. */
        Tensor place(Tensor into, Tensor own) {
            return rows == null ? own : into.index_copy_(0, rows, own);
        }
    }

    /** One extension for all rows. */
    static Extended all(Extension extension, Operators operators) {
        return new Extended(
                extension.isEmpty() ? List.of() : List.of(new Part(extension, null, null, null)), operators);
    }

    /** The same, indexed among the rows requested from the last block. */
    Extended ofAsked() {
        return new Extended(
                parts.stream()
                        .map(part -> new Part(part.extension(), part.gradient(), part.asked(), null))
                        .toList(),
                operators);
    }

    /** A part, indexed among its own rows. */
    Extended within(Part part) {
        return new Extended(List.of(new Part(part.extension(), part.gradient(), null, null)), operators);
    }

    /**
     * A range of a checkpoint map's outputs within a frozen map made from it.
     *
     * @param map name of the checkpoint's map
     * @param first first output in the checkpoint's map
     * @param at first output in the frozen map
     */
    record Slot(String map, long first, long count, long at) {}

    /** Whether one of the maps is changed. */
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
     * Adds the low-rank changes of maps.
     *
     * @param x [N, in]
     * @param y the output of the frozen map, is added to
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
     * The backward pass of {@link #addChanges}: adds to the gradients of the low-rank maps.
     *
     * @param dy gradient with respect to the output of the frozen map
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

    /** The network behind a half; the extension must have one there. */
    private static Bottleneck behind(Extension of, String half) {
        return Named.get(of.halves(), half);
    }

    /** y [n, E] of a part's rows plus the output of the network behind a half. */
    Tensor network(Part part, String half, Tensor y) {
        Bottleneck net = behind(part.extension(), half);
        Tensor inner = gelu(operators.multiply(y, net.down(), net.downBias())); // [n, m]
        return y.add(operators.multiply(inner, net.up(), net.upBias()));
    }

    /**
     * The backward pass of {@link #network}: adds to its gradients.
     *
     * @param d [n, E]
     * @return the gradient with respect to y, [n, E]
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

    // In float64, then rounded to float32: libtorch's vector code and the scalar code for the remaining elements differ
    // in the
    // last bits, and which elements remain depends on the number of rows.

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

    /** The tensors that must outlive a pause, without those of the extensions. */
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
