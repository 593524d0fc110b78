package dev.prefix4j.kernels;

import static dev.prefix4j.kernels.KernelsTest.floats;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.prefix4j.torch.TensorScope;
import java.util.Arrays;
import java.util.EnumSet;
import java.util.Set;
import org.bytedeco.pytorch.Device;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptions;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Every tensor of every kernel is refused before a native call, in every way in which it can be wrong. */
class KernelArgumentsTest {
    /** Ways in which a tensor does not fit. */
    private enum Mistake {
        ANOTHER_TYPE,
        ANOTHER_DEVICE,
        A_ROW_MORE,
        A_COLUMN_MORE,
        ANOTHER_DIMENSION,
        COLUMNS_APART;

        Tensor of(Tensor right) {
            long[] shape = new long[(int) right.dim()];
            Arrays.setAll(shape, right::size);
            int last = shape.length - 1;
            return switch (this) {
                case ANOTHER_TYPE ->
                    right.to(right.scalar_type().intern() == ScalarType.Double ? ScalarType.Float : ScalarType.Double);
                case ANOTHER_DEVICE -> right.to(new Device("meta"), right.scalar_type());
                case A_ROW_MORE -> {
                    shape[0]++;
                    yield zeros(right, shape);
                }
                case A_COLUMN_MORE -> {
                    shape[last]++;
                    yield zeros(right, shape);
                }
                case ANOTHER_DIMENSION -> torch.stack(new TensorVector(right, right));
                case COLUMNS_APART -> {
                    long[] twice = Arrays.copyOf(shape, shape.length + 1);
                    twice[shape.length] = 2;
                    yield zeros(right, twice).select(shape.length, 0);
                }
            };
        }

        private static Tensor zeros(Tensor like, long... shape) {
            return torch.zeros(shape, new TensorOptions(like.scalar_type()));
        }
    }

    /** All but what is left to the caller: a number of columns that nothing else depends on, strides of what is copied. */
    private static Set<Mistake> mistakes(Function kernel, int tensor) {
        Set<Mistake> mistakes = EnumSet.allOf(Mistake.class);
        switch (kernel) {
            case PACK -> mistakes.removeAll(Set.of(Mistake.A_ROW_MORE, Mistake.A_COLUMN_MORE, Mistake.COLUMNS_APART));
            case PACK_F32 -> mistakes.removeAll(Set.of(Mistake.A_ROW_MORE, Mistake.A_COLUMN_MORE));
            case SOFTMAX_BLOCK -> {
                if (tensor == 0 || tensor == 5) {
                    mistakes.remove(Mistake.A_COLUMN_MORE);
                }
            }
            case TOP_K -> {
                if (tensor == 0) {
                    mistakes.remove(Mistake.A_COLUMN_MORE);
                }
            }
            default -> {}
        }
        return mistakes;
    }

    @ParameterizedTest
    @EnumSource
    void everyTensorOfAKernelIsChecked(Function kernel) {
        assumeTrue(Kernels.find().isPresent(), "kernels are built");
        try (TensorScope _ = new TensorScope()) {
            KernelCall call = KernelCall.of(kernel, Kernels.find().orElseThrow());
            call.run();
            for (int i = 0; i < call.tensors().size(); i++) {
                for (Mistake mistake : mistakes(kernel, i)) {
                    Tensor wrong = mistake.of(call.tensors().get(i));
                    int index = i;
                    String message = assertThrows(
                                    IllegalArgumentException.class,
                                    () -> call.with(index, wrong),
                                    mistake + " of tensor " + i)
                            .getMessage();
                    assertTrue(message.startsWith("kernel: "), message);
                }
            }
        }
    }

    @Test
    void rowsIn8BitsAreWrittenOnlyWhereTheyAre() {
        assumeTrue(Kernels.find().isPresent(), "kernels are built");
        RowKernels rows = Kernels.find().orElseThrow().rows();
        try (TensorScope _ = new TensorScope()) {
            Tensor wide = KernelCall.zeros(ScalarType.Char, 1, 64).fill_(new Scalar(7));
            rows.quantize(
                    floats(1, 5),
                    new EightBits(wide.narrow(1, 0, 8), floats(1), KernelCall.zeros(ScalarType.Int, 1)),
                    null);
            assertEquals(127, wide.select(1, 4).item_int());
            assertEquals(0, wide.select(1, 7).item_int());
            assertEquals(7, wide.select(1, 8).item_int());
        }
    }
}
