package dev.prefix4j.frozen;

import dev.prefix4j.frozen.Extended.Slot;
import dev.prefix4j.model.Affine;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Supplier;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * An affine map of a block, and where the changes of an {@link Extended} apply in it.
 *
 * <p>n rows, K inputs, M outputs.
 */
record BlockMap(Linear linear, List<Slot> slots, Operators operators) {
    /** A range of the concatenated outputs of maps of the same rows. */
    static BlockMap of(List<Affine> maps, long first, long count, WeightForm form, Operators operators) {
        List<Slot> slots = new ArrayList<>();
        long start = 0;
        for (Affine map : maps) {
            long from = Math.max(first, start);
            long to = Math.min(first + count, start + map.outputs());
            if (from < to) {
                slots.add(new Slot(map.name(), from - start, to - from, from - first));
            }
            start += map.outputs();
        }
        return new BlockMap(form.linear(WeightForm.columns(maps, first, count)), slots, operators);
    }

    /** All outputs of maps of the same rows, concatenated. */
    static BlockMap of(List<Affine> maps, WeightForm form, Operators operators) {
        return of(maps, 0, maps.stream().mapToLong(Affine::outputs).sum(), form, operators);
    }

    boolean changed(Extended extended) {
        return extended.changes(slots);
    }

    /** The form in which it takes rows. */
    Precision form() {
        return linear.form();
    }

    /**
     * Applies the map.
     *
     * @param rows [n, K], in the form that the map takes
     * @param x float32 [n, K], the rows before they were rounded; called only if there are changes
     * @param residual float32 [n, M], added; null: none
     * @return float32 [n, M]
     */
    Tensor forward(Rows rows, Supplier<Tensor> x, @Nullable Tensor residual, Extended extended) {
        Tensor y = linear.forward(rows, residual);
        if (changed(extended)) {
            extended.addChanges(slots, floats(rows, x), y);
        }
        return y;
    }

    /** As {@link #backward(Rows, Tensor, Supplier, Extended)}, for dy float32 [n, M]. */
    Tensor backward(Tensor dy, Supplier<Tensor> x, Extended extended) {
        return backward(operators.rows(dy, linear.form()), dy, x, extended);
    }

    /**
     * The backward pass.
     *
     * @param rows [n, M], in the form that the map takes
     * @param dy float32 [n, M], the rows before they were rounded; null if they are float32 or there are no changes
     * @param x float32 [n, K], the map's input; called only if there are changes
     * @return float32 [n, K]
     */
    Tensor backward(Rows rows, @Nullable Tensor dy, Supplier<Tensor> x, Extended extended) {
        Tensor dx = linear.backward(rows, null);
        if (changed(extended)) {
            extended.changesBackward(slots, x.get(), dy == null ? ((Rows.Float32) rows).x() : dy, dx);
        }
        return dx;
    }

    /** The backward pass of the changes only, if the gradient with respect to the input is not wanted; dy float32 [n, M]. */
    void changesBackward(Tensor dy, Supplier<Tensor> x, Extended extended) {
        if (changed(extended)) {
            extended.changesBackward(slots, x.get(), dy, null);
        }
    }

    /** The rows themselves if they are float32, else x. */
    private static Tensor floats(Rows rows, Supplier<Tensor> x) {
        return rows instanceof Rows.Float32(Tensor own) ? own : x.get();
    }
}
