package dev.prefix4j.torch;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import org.bytedeco.javacpp.FloatPointer;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.junit.jupiter.api.Test;

class AtenTest extends ScopedTest {
    private static Tensor floats(float... values) {
        return torch.tensor(values);
    }

    private static float[] values(Tensor tensor) {
        float[] out = new float[(int) tensor.numel()];
        new FloatPointer(tensor.contiguous().data_ptr()).get(out);
        return out;
    }

    @Test
    void callsAnOperatorOverTheStableAbi() {
        Aten.Operator relu = Aten.operator("aten::relu", "");
        assertTrue(relu.isStable());
        assertArrayEquals(new float[] {0, 2}, values(relu.tensor(floats(-1, 2))));
    }

    @Test
    void passesScalarsOptionalsListsAndStrings() {
        Tensor x = floats(-2, 1, 3, 5);
        // Scalar? twice: over the presets' boxed call
        assertArrayEquals(
                new float[] {-1, 1, 3, 4},
                values(Aten.operator("aten::clamp", "").tensor(x, -1, 4.0)));
        assertArrayEquals(
                new float[] {-1, 1, 3, 5},
                values(Aten.operator("aten::clamp", "").tensor(x, -1)));
        // SymInt[], and a default
        assertArrayEquals(
                new long[] {2, 2},
                Aten.operator("aten::view", "")
                        .tensor(x, new long[] {2, -1})
                        .sizes()
                        .vec()
                        .get());
        // Tensor[]
        assertArrayEquals(
                new float[] {-2, 1, 3, 5, 7},
                values(Aten.operator("aten::cat", "").tensor(List.of(x, floats(7)), 0L)));
        // str
        assertArrayEquals(
                values(torch.gelu(x, "tanh")),
                values(Aten.operator("aten::gelu", "").tensor(x, "tanh")));
        // int[]?, bool, ScalarType?: a set optional and an empty one
        assertEquals(7.0f, values(Aten.operator("aten::sum", "dim_IntList").tensor(x, List.of(0L), true, null))[0]);
        assertEquals(
                torch.ScalarType.Double,
                Aten.operator("aten::sum", "dim_IntList")
                        .tensor(x, null, false, torch.ScalarType.Double)
                        .scalar_type()
                        .intern());
        // float
        assertArrayEquals(
                new float[] {-2, 1, 3, 5},
                values(Aten.operator("aten::dropout", "").tensor(x, 1.0, false)));
    }

    @Test
    void returnsSeveralTensorsAndLists() {
        Object[] topk = Aten.operator("aten::topk", "").call(floats(3, 9, 4), 2L, -1L, true, true);
        assertArrayEquals(new float[] {9, 4}, values((Tensor) topk[0]));
        assertArrayEquals(new long[] {2}, ((Tensor) topk[1]).sizes().vec().get());
        Object[] parts = Aten.operator("aten::split", "Tensor").call(floats(1, 2, 3), 2L, 0L);
        List<?> list = (List<?>) parts[0];
        assertEquals(2, list.size());
        assertArrayEquals(new float[] {3}, values((Tensor) list.get(1)));
    }

    @Test
    void recordsForAutograd() {
        Tensor x = floats(1, 2, 3);
        x.set_requires_grad(true);
        Tensor y = Aten.operator("aten::mul", "Tensor").tensor(x, x);
        Aten.operator("aten::sum", "").tensor(y, null).backward();
        assertArrayEquals(new float[] {2, 4, 6}, values(x.grad()));
    }

    @Test
    void fusedAdamWTakesTheStepOfTheFormula() {
        Tensor p = floats(1, -2), g = floats(0.5f, 0.25f), m = floats(0, 0), v = floats(0, 0), t = torch.tensor(0.0f);
        Aten.operator("aten::_fused_adamw_", "")
                .call(
                        List.of(p),
                        List.of(g),
                        List.of(m),
                        List.of(v),
                        List.of(),
                        List.of(torch.add(t, torch.tensor(1f))),
                        0.1,
                        0.9,
                        0.999,
                        0.0,
                        1e-8,
                        false,
                        false,
                        null,
                        null);
        // At the first step the update is lr * sign(g).
        assertArrayEquals(new float[] {0.9f, -2.1f}, values(p), 1e-6f);
        assertArrayEquals(new float[] {0.05f, 0.025f}, values(m), 1e-7f);
    }

    @Test
    void namesTheArgumentThatDoesNotFit() {
        Aten.Operator mm = Aten.operator("aten::mm", "");
        var missing = assertThrows(IllegalArgumentException.class, () -> mm.tensor(floats(1)));
        assertEquals("aten::mm: argument 1 'mat2' (Tensor) is missing", missing.getMessage());
        var wrong = assertThrows(IllegalArgumentException.class, () -> mm.tensor(floats(1), "x"));
        assertEquals("aten::mm: argument 1 'mat2': expected Tensor, got String", wrong.getMessage());
        assertThrows(IllegalArgumentException.class, () -> mm.tensor(floats(1), floats(1), floats(1)));
        assertThrows(IllegalArgumentException.class, () -> Aten.operator("aten::no_such_operator", ""));
    }

    @Test
    void aTensorWhoseScopeHasEndedIsSaidToBeClosed() {
        Tensor x;
        try (TensorScope _ = new TensorScope()) {
            x = floats(1);
        }
        var closed = assertThrows(
                IllegalArgumentException.class,
                () -> Aten.operator("aten::relu", "").tensor(x));
        assertTrue(
                closed.getMessage()
                        .startsWith(
                                "aten::relu: argument 0 'self': expected Tensor, got a closed tensor: its TensorScope"
                                        + " has ended"),
                closed.getMessage());
    }

    @Test
    void saysWhyLibtorchRefused() {
        var refused = assertThrows(
                IllegalStateException.class,
                () -> Aten.operator("aten::mm", "").tensor(torch.zeros(2, 3), torch.zeros(2, 3)));
        assertTrue(refused.getMessage().contains("(2x3 and 2x3)"), refused.getMessage());
    }

    @Test
    void callsDoNotGrowMemory() {
        Aten.Operator sum = Aten.operator("aten::sum", "dim_IntList");
        Aten.Operator cat = Aten.operator("aten::cat", "");
        Tensor x = torch.zeros(64, 1024);
        NativeMemory.assertNothingIsLeftBehind(8_000, () -> {
            try (TensorScope _ = new TensorScope()) {
                sum.tensor(cat.tensor(List.of(x, x), 0L), List.of(1L), true, torch.ScalarType.Double);
            }
        });
    }

    @Test
    void operatorsWithoutAnOverloadOfThatNameAreRefused() {
        assertThrows(IllegalArgumentException.class, () -> Aten.operator("aten::relu", "nonsense"));
        assertFalse(Aten.operator("aten::add", "Tensor").isStable());
    }
}
