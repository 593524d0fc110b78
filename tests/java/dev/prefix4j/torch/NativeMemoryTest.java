package dev.prefix4j.torch;

import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.lang.foreign.Arena;
import java.util.ArrayList;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.junit.jupiter.api.Test;

/** The watch of the leak tests sees leaks. */
class NativeMemoryTest {
    @Test
    void aTensorThatIsKeptIsSeen() {
        TorchRuntime.require();
        List<Tensor> kept = new ArrayList<>();
        assertThrows(
                AssertionError.class, () -> NativeMemory.assertNothingIsLeftBehind(240, () -> kept.add(torch.ones(1))));
        kept.forEach(Tensor::close);
    }

    @Test
    void aHandleThatJavaHasForgottenIsSeen() {
        TorchRuntime.require();
        assertThrows(
                AssertionError.class,
                () -> NativeMemory.assertNothingIsLeftBehind(600, () -> {
                    try (TensorScope _ = new TensorScope()) {
                        StableAbi.newHandle(torch.ones(1 << 14)); // 64 KiB: more than a compiler gives back meanwhile
                    }
                }));
    }

    @Test
    void anArenaThatIsKeptIsSeen() {
        List<Arena> kept = new ArrayList<>();
        assertThrows(
                AssertionError.class,
                () -> NativeMemory.assertNothingIsLeftBehind(600, () -> {
                    Arena arena = Arena.ofShared();
                    arena.allocate(1 << 14);
                    kept.add(arena);
                }));
        kept.forEach(Arena::close);
    }

    @Test
    void whatTheVirtualMachineUsesIsTakenOff() {
        assumeTrue(NativeMemory.virtualMachineBytes() > 0, "the virtual machine does not track its memory");
        assertTrue(NativeMemory.virtualMachineBytes() > 1 << 20);
    }
}
