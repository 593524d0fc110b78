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
 * The form in which the matrices of a model are stored.
 *
 * @param strips float32 matrices are copied into a layout that is fast to read for few rows; otherwise the model's own are used
 * @param kernels null: libtorch's operators are used
 */
record WeightForm(
        Precision precision, boolean strips, @Nullable Kernels kernels) {
    /** Maps of the same rows as one, their outputs concatenated; its tensors belong to the open scope. */
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
            // the originals are not read any more, but would stay in memory
            maps.forEach(map -> Safetensors.evict(map.weight()));
        }
        return made;
    }

    /** Whether matrices are copied. */
    boolean copies() {
        return strips || precision != Precision.FP32;
    }

    private Linear inPlace(List<Affine> maps) {
        List<Linear.Float32> all =
                maps.stream().map(map -> new Linear.Float32(map, kernels)).toList();
        return all.size() == 1 ? all.getFirst() : new Linear.SideBySide(all);
    }

    /** Several maps joined into one; a single map is returned as it is. */
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

    /** A range of the concatenated outputs of maps. */
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
