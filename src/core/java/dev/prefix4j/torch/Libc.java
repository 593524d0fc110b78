package dev.prefix4j.torch;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.util.Optional;

/** The few functions of the C library that are not available in Java otherwise. */
final class Libc {
    /** glibc, {@code malloc.h}: blocks below this size come from the heap and are kept by the process. */
    static final int M_MMAP_THRESHOLD = -3;

    /** glibc, {@code malloc.h}: free memory at the top of the heap beyond this size is returned to the kernel. */
    static final int M_TRIM_THRESHOLD = -1;

    private static final Linker LINKER = Linker.nativeLinker();
    private static final Optional<MethodHandle> SETENV = function(
            "setenv",
            FunctionDescriptor.of(
                    ValueLayout.JAVA_INT, ValueLayout.ADDRESS, ValueLayout.ADDRESS, ValueLayout.JAVA_INT));
    private static final Optional<MethodHandle> MALLOPT = function(
            "mallopt", FunctionDescriptor.of(ValueLayout.JAVA_INT, ValueLayout.JAVA_INT, ValueLayout.JAVA_INT));

    // fcntl.h and sys/mman.h: these values are the same on Linux and macOS.
    private static final int O_RDONLY = 0;
    private static final int PROT_READ = 1;
    private static final int PROT_WRITE = 2;
    private static final int MAP_PRIVATE = 2;
    private static final long MAP_FAILED = -1;

    private static final Optional<MethodHandle> OPEN = LINKER.defaultLookup()
            .find("open")
            .map(address -> LINKER.downcallHandle(
                    address,
                    FunctionDescriptor.of(ValueLayout.JAVA_INT, ValueLayout.ADDRESS, ValueLayout.JAVA_INT),
                    Linker.Option.firstVariadicArg(2)));
    private static final Optional<MethodHandle> CLOSE =
            function("close", FunctionDescriptor.of(ValueLayout.JAVA_INT, ValueLayout.JAVA_INT));
    private static final Optional<MethodHandle> MMAP = function(
            "mmap",
            FunctionDescriptor.of(
                    ValueLayout.ADDRESS,
                    ValueLayout.ADDRESS,
                    ValueLayout.JAVA_LONG,
                    ValueLayout.JAVA_INT,
                    ValueLayout.JAVA_INT,
                    ValueLayout.JAVA_INT,
                    ValueLayout.JAVA_LONG));
    private static final Optional<MethodHandle> MUNMAP =
            function("munmap", FunctionDescriptor.of(ValueLayout.JAVA_INT, ValueLayout.ADDRESS, ValueLayout.JAVA_LONG));

    // bits/mman-linux.h and Documentation/admin-guide/mm/pagemap.rst
    private static final int MADV_DONTNEED = 4;
    private static final long PAGE_PRESENT = 1L << 63;
    private static final long PAGE_OF_FILE = 1L << 61;
    private static final long PAGE_BYTES = 4096;
    private static final boolean LINUX = System.getProperty("os.name").equals("Linux");
    private static final Optional<MethodHandle> MADVISE = function(
            "madvise",
            FunctionDescriptor.of(
                    ValueLayout.JAVA_INT, ValueLayout.JAVA_LONG, ValueLayout.JAVA_LONG, ValueLayout.JAVA_INT));

    private Libc() {}

    private static Optional<MethodHandle> function(String name, FunctionDescriptor type) {
        return LINKER.defaultLookup().find(name).map(address -> LINKER.downcallHandle(address, type));
    }

    /**
     * Sets an environment variable of this process, for native libraries that are loaded later, unless it is already
     * set. {@link System#getenv} does not see the change.
     *
     * @return whether the variable is now set
     */
    static boolean setEnvironmentDefault(String name, String value) {
        return setEnvironment(name, value, 0);
    }

    /** As {@link #setEnvironmentDefault}, but replaces an earlier value. */
    static boolean setEnvironment(String name, String value) {
        return setEnvironment(name, value, 1);
    }

    private static boolean setEnvironment(String name, String value, int overwrite) {
        if (SETENV.isEmpty()) {
            return false;
        }
        try (Arena arena = Arena.ofConfined()) {
            return (int) SETENV.get().invokeExact(cString(arena, name), cString(arena, value), overwrite) == 0;
        } catch (Throwable e) {
            throw new IllegalStateException("setenv(" + name + ") failed", e);
        }
    }

    /** @return whether this C library knows the parameter and accepted the value */
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

    /**
     * Maps a file into memory, privately: writes stay in this process.
     *
     * @param size in bytes, above 0
     * @return empty if this C library cannot map files, or not this one
     */
    static Optional<MemorySegment> map(Path file, long size) {
        if (OPEN.isEmpty() || CLOSE.isEmpty() || MMAP.isEmpty() || MUNMAP.isEmpty()) {
            return Optional.empty();
        }
        try (Arena arena = Arena.ofConfined()) {
            int descriptor = (int) OPEN.get().invokeExact(cString(arena, file.toString()), O_RDONLY);
            if (descriptor < 0) {
                return Optional.empty();
            }
            MemorySegment start = (MemorySegment) MMAP.get()
                    .invokeExact(MemorySegment.NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE, descriptor, 0L);
            int _ = (int) CLOSE.get().invokeExact(descriptor);
            return start.address() == MAP_FAILED ? Optional.empty() : Optional.of(start.reinterpret(size));
        } catch (Throwable e) {
            throw new IllegalStateException("mmap of " + file + " failed", e);
        }
    }

    /** Unmaps what {@link #map} returned. */
    static void unmap(MemorySegment mapped) {
        try {
            int _ = (int) MUNMAP.orElseThrow().invokeExact(mapped, mapped.byteSize());
        } catch (Throwable e) {
            throw new IllegalStateException("munmap failed", e);
        }
    }

    /**
     * Releases the pages of a part of a mapped file to the system, as if they had not been read yet. Does nothing if that
     * might lose data: if a page has been written to, or if that cannot be determined (only Linux tells).
     *
     * @return whether the pages were released
     */
    static boolean evict(long address, long bytes) {
        long first = Math.ceilDiv(address, PAGE_BYTES);
        long last = Math.floorDiv(address + bytes, PAGE_BYTES);
        if (!LINUX || MADVISE.isEmpty() || last <= first || written(first, last)) {
            return false;
        }
        try {
            return (int) MADVISE.get().invokeExact(first * PAGE_BYTES, (last - first) * PAGE_BYTES, MADV_DONTNEED) == 0;
        } catch (Throwable e) {
            throw new IllegalStateException("madvise failed", e);
        }
    }

    /** Whether a page may have been written to; true if that cannot be determined. */
    private static boolean written(long first, long last) {
        ByteBuffer entries = ByteBuffer.allocate(1 << 16).order(ByteOrder.nativeOrder());
        try (FileChannel pages = FileChannel.open(Path.of("/proc/self/pagemap"))) {
            pages.position(first * Long.BYTES);
            for (long page = first; page < last; ) {
                entries.clear().limit((int) Math.min(entries.capacity(), (last - page) * Long.BYTES));
                while (entries.hasRemaining()) {
                    if (pages.read(entries) < 0) {
                        return true;
                    }
                }
                entries.flip();
                while (entries.hasRemaining()) {
                    long entry = entries.getLong();
                    if ((entry & PAGE_PRESENT) != 0 && (entry & PAGE_OF_FILE) == 0) {
                        return true;
                    }
                    page++;
                }
            }
            return false;
        } catch (IOException e) {
            return true;
        }
    }

    private static MemorySegment cString(Arena arena, String text) {
        return arena.allocateFrom(text);
    }
}
