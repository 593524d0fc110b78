package dev.prefix4j.kernels;

import dev.prefix4j.SettingException;
import dev.prefix4j.torch.TorchRuntime;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.net.URISyntaxException;
import java.net.URL;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/** The native library, loaded and started. */
final class NativeLibrary {
    private static final int VERSION = 6;
    private static final ValueLayout.OfLong POINTER = ValueLayout.JAVA_LONG;

    private final SymbolLookup symbols;
    private final String isa;

    /**
     * @param url the library, a file or an entry of a jar
     * @param wanted instruction set; empty: the best that the processor supports
     * @throws SettingException if the processor does not support it
     * @throws IllegalStateException if the library does not match these classes
     */
    NativeLibrary(URL url, String wanted) {
        this.symbols = SymbolLookup.libraryLookup(file(url), Arena.global());
        try (Arena arena = Arena.ofConfined()) {
            int version = (int) bind("p4j_version", FunctionDescriptor.of(ValueLayout.JAVA_INT))
                    .invokeExact();
            if (version != VERSION) {
                throw new IllegalStateException("expected version " + VERSION + ", found " + version);
            }
            int code = (int) bind("p4j_start", FunctionDescriptor.of(ValueLayout.JAVA_INT, POINTER, POINTER))
                    .invokeExact(arena.allocateFrom(wanted).address(), TorchRuntime.parallelFor());
            if (code != 0) {
                throw Kernels.expected(supported(arena), "'" + wanted + "', which this processor does not support");
            }
            requireLayouts(arena);
            long name = (long) bind("p4j_isa", FunctionDescriptor.of(POINTER)).invokeExact();
            this.isa = MemorySegment.ofAddress(name).reinterpret(64).getString(0);
        } catch (Throwable e) {
            throw failed(e);
        }
    }

    private List<String> supported(Arena arena) throws Throwable {
        MethodHandle supports = bind("p4j_supports", FunctionDescriptor.of(ValueLayout.JAVA_INT, POINTER));
        List<String> sets = new ArrayList<>();
        for (String set : Kernels.SETS) {
            if ((int) supports.invokeExact(arena.allocateFrom(set).address()) == 1) {
                sets.add(set);
            }
        }
        return sets;
    }

    /** Rejects a library whose compiler laid out a structure differently from {@link Struct}. */
    private void requireLayouts(Arena arena) throws Throwable {
        MethodHandle layout = bind("p4j_layout", FunctionDescriptor.of(POINTER, POINTER, POINTER));
        for (Struct struct : Struct.values()) {
            long name = arena.allocateFrom(struct.nativeName()).address();
            for (Map.Entry<String, Long> expected : struct.offsets().entrySet()) {
                long found = (long) layout.invokeExact(
                        name, arena.allocateFrom(expected.getKey()).address());
                if (found != expected.getValue()) {
                    throw new IllegalStateException("expected %s.%s at %d, found %d"
                            .formatted(struct.nativeName(), expected.getKey(), expected.getValue(), found));
                }
            }
        }
    }

    /** The instruction set in use. */
    String isa() {
        return isa;
    }

    /** The handle of a kernel, to be called with the types of its signature; pointers are addresses. */
    MethodHandle bind(Function function) {
        return bind("p4j_" + function.nativeName(), function.descriptor());
    }

    private MethodHandle bind(String name, FunctionDescriptor descriptor) {
        MemorySegment address = symbols.find(name)
                .orElseThrow(() -> new IllegalStateException("expected a function " + name + ", found none"));
        return Linker.nativeLinker().downcallHandle(address, descriptor);
    }

    /** What a call threw, as an exception to rethrow. */
    static RuntimeException failed(Throwable e) {
        return switch (e) {
            case RuntimeException runtime -> runtime;
            case Error error -> throw error;
            default -> new IllegalStateException(e);
        };
    }

    /** The library as a file: the original, or a copy from a jar, deleted when the process ends. */
    private static Path file(URL url) {
        try {
            if (url.getProtocol().equals("file")) {
                return Path.of(url.toURI());
            }
            Path copy = Files.createTempFile("prefix4j", ".so");
            copy.toFile().deleteOnExit();
            try (InputStream in = url.openStream()) {
                Files.copy(in, copy, StandardCopyOption.REPLACE_EXISTING);
            }
            return copy;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        } catch (URISyntaxException e) {
            throw new IllegalStateException(e);
        }
    }
}
