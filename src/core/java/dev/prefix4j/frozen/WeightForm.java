package dev.prefix4j.frozen;

import dev.prefix4j.kernels.Kernels;
import dev.prefix4j.model.Affine;
import dev.prefix4j.torch.Safetensors;
import java.util.ArrayList;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch;
import org.jspecify.annotations.Nullable;

/**
 * In what form the matrices of a model are made.
 *
 * @param strips float32 matrices are copied, to be read fast where rows are few; otherwise they stay where the model has them
 * @param kernels null: libtorch's operators do the work
 */
record WeightForm(
        Precision precision, boolean strips, @Nullable Kernels kernels) {
    /** Maps of the same rows, whose outputs lie side by side; with tensors that belong to the open scope. */
    Linear linear(List<Affine> maps) {
        Linear made = switch (precision) {
            case INT8 -> Int8Linear.of(maps, kernels);
            case FP32 -> {
                List<Affine> floats = maps.stream().map(Affine::floats).toList();
                yield strips && kernels != null
                        ? Linear.Strips.of(floats, inPlace(floats), kernels.products())
                        : inPlace(floats);
            }
        };
        if (copies()) {
            // the system would keep in memory what nobody reads any more
            maps.forEach(map -> Safetensors.evict(map.weight()));
        }
        return made;
    }

    /** Whether matrices are copies. */
    boolean copies() {
        return strips || precision != Precision.FP32;
    }

    private Linear inPlace(List<Affine> maps) {
        List<Linear.Float32> all =
                maps.stream().map(map -> new Linear.Float32(map, kernels)).toList();
        return all.size() == 1 ? all.getFirst() : new Linear.SideBySide(all);
    }

    /** One map of several; a single one is that map itself. */
    static Affine joined(List<Affine> maps) {
        if (maps.size() == 1) {
            return maps.getFirst();
        }
        Affine first = maps.getFirst();
        return new Affine(
                first.name(),
                torch.cat(vector(maps.stream().map(Affine::weight).toList()), 1),
                first.bias() == null
                        ? null
                        : torch.cat(vector(maps.stream().map(Affine::bias).toList()), 0));
    }

    private static TensorVector vector(List<Tensor> tensors) {
        return new TensorVector(tensors.toArray(Tensor[]::new));
    }

    /** Of the outputs of maps, side by side, some that follow each other. */
    static List<Affine> columns(List<Affine> maps, long first, long count) {
        List<Affine> parts = new ArrayList<>();
        long start = 0;
        for (Affine map : maps) {
            long from = Math.max(first - start, 0);
            long to = Math.min(first + count - start, map.outputs());
            if (from < to) {
                parts.add(to - from == map.outputs() ? map : map.columns(from, to - from));
            }
            start += map.outputs();
        }
        return parts;
    }
}
