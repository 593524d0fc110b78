package dev.prefix4j.torch;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.util.Optional;

/** The few functions of the C library that must run before libtorch is loaded. */
final class Libc {
    /** glibc, {@code malloc.h}: blocks below this size come from the heap and stay in the process. */
    static final int M_MMAP_THRESHOLD = -3;

    /** glibc, {@code malloc.h}: free memory at the top of the heap above this size goes back to the kernel. */
    static final int M_TRIM_THRESHOLD = -1;

    private static final Linker LINKER = Linker.nativeLinker();
    private static final Optional<MethodHandle> SETENV = function(
            "setenv",
            FunctionDescriptor.of(
                    ValueLayout.JAVA_INT, ValueLayout.ADDRESS, ValueLayout.ADDRESS, ValueLayout.JAVA_INT));
    private static final Optional<MethodHandle> MALLOPT = function(
            "mallopt", FunctionDescriptor.of(ValueLayout.JAVA_INT, ValueLayout.JAVA_INT, ValueLayout.JAVA_INT));

    private Libc() {}

    private static Optional<MethodHandle> function(String name, FunctionDescriptor type) {
        return LINKER.defaultLookup().find(name).map(address -> LINKER.downcallHandle(address, type));
    }

    /**
     * Sets an environment variable of this process, for native libraries that are loaded later; one that the user has
     * set stays as it is. {@link System#getenv} does not see the change.
     *
     * @return whether the variable now has a value
     */
    static boolean setEnvironmentDefault(String name, String value) {
        if (SETENV.isEmpty()) {
            return false;
        }
        try (Arena arena = Arena.ofConfined()) {
            return (int) SETENV.get().invokeExact(cString(arena, name), cString(arena, value), 0) == 0;
        } catch (Throwable e) {
            throw new IllegalStateException("setenv(" + name + ") failed", e);
        }
    }

    /** @return whether this C library knows the parameter and took the value */
    static boolean mallopt(int parameter, int value) {
        if (MALLOPT.isEmpty()) {
            return false;
        }
        try {
            return (int) MALLOPT.get().invokeExact(parameter, value) == 1;
        } catch (Throwable e) {
            throw new IllegalStateException("mallopt(" + parameter + ") failed", e);
        }
    }

    private static MemorySegment cString(Arena arena, String text) {
        return arena.allocateFrom(text);
    }
}
