package dev.prefix4j.frozen;

import dev.prefix4j.frozen.Extended.Slot;
import dev.prefix4j.model.Affine;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Supplier;
import org.bytedeco.pytorch.Tensor;

/**
 * An affine map of a block, and where the changes of an {@link Extended} belong in it.
 *
 * <p>n rows, K inputs, M outputs.
 */
record BlockMap(Linear linear, List<Slot> slots, Operators operators) {
    /** Of maps of the same rows, some outputs that follow each other, side by side. */
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

    /** All outputs of maps of the same rows, side by side. */
    static BlockMap of(List<Affine> maps, WeightForm form, Operators operators) {
        return of(maps, 0, maps.stream().mapToLong(Affine::outputs).sum(), form, operators);
    }

    boolean changed(Extended extended) {
        return extended.changes(slots);
    }

    /** In what form it takes rows: a low-rank change reads them in float32. */
    Precision form(Extended extended) {
        return changed(extended) ? Precision.FP32 : linear.form();
    }

    /**
     * Applies it.
     *
     * @param x [n, K], in its form or in float32
     * @param residual float32 [n, M], added; null: none
     * @return float32 [n, M]
     */
    Tensor forward(Rows x, Tensor residual, Extended extended) {
        Tensor y = linear.forward(own(x), residual);
        if (changed(extended)) {
            extended.addChanges(slots, ((Rows.Float32) x).x(), y);
        }
        return y;
    }

    /**
     * The way back.
     *
     * @param dy [n, M], in its form or in float32
     * @param x float32 [n, K], what went in; asked for where there are changes
     * @param through whether the gradient with respect to what went in is wanted
     * @return float32 [n, K], or null
     */
    Tensor backward(Rows dy, Supplier<Tensor> x, Extended extended, boolean through) {
        Tensor dx = through ? linear.backward(own(dy), null) : null;
        if (changed(extended)) {
            extended.changesBackward(slots, x.get(), ((Rows.Float32) dy).x(), dx);
        }
        return dx;
    }

    private Rows own(Rows rows) {
        return rows instanceof Rows.Float32(Tensor x) ? operators.rows(x, linear.form()) : rows;
    }
}
