package dev.prefix4j.torch;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

class TensorScopeTest {
    @BeforeAll
    static void start() {
        TorchRuntime.require();
    }

    @Test
    void freesWhatIsNotKept() {
        Tensor freed;
        try (TensorScope _ = new TensorScope()) {
            freed = torch.ones(3);
            assertFalse(freed.isNull());
        }
        assertTrue(freed.isNull());
    }

    @Test
    void keptTensorsMoveToTheScopeAround() {
        Tensor kept;
        try (TensorScope _ = new TensorScope()) {
            try (TensorScope inner = new TensorScope()) {
                kept = inner.keep(torch.ones(3));
            }
            assertEquals(3.0f, torch.sum(kept).item_float());
        }
        assertTrue(kept.isNull());
    }

    @Test
    void keptTensorsWithoutAScopeAroundBelongToTheCaller() {
        Tensor kept;
        try (TensorScope scope = new TensorScope()) {
            kept = scope.keep(torch.ones(3));
        }
        assertFalse(kept.isNull());
        kept.close();
        assertTrue(kept.isNull());
    }

    @Test
    void loopsOfScopesDoNotGrowMemory() {
        NativeMemory.assertNothingIsLeftBehind(3_000, () -> {
            try (TensorScope _ = new TensorScope()) {
                try (TensorScope inner = new TensorScope()) {
                    inner.keep(torch.ones(64, 1024));
                    torch.ones(64, 1024);
                }
            }
        });
    }
}
