package dev.prefix4j.torch;

import java.lang.foreign.AddressLayout;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import org.bytedeco.javacpp.Loader;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * libtorch's stable C ABI ({@code torch/csrc/inductor/aoti_torch/c/shim.h} and {@code torch/csrc/stable/c/shim.h}).
 *
 * <p>A value on its stack has 64 bits: a number, or the address of an object whose ownership is transferred with it. A tensor is
 * the address of an {@code at::Tensor}, as in a JavaCPP {@link Tensor}. Every function returns 0, or 1 on failure; the
 * reason is only printed.
 */
final class StableAbi {
    private static final AddressLayout ADDRESS = ValueLayout.ADDRESS;
    private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG;
    private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT;

    private static final SymbolLookup LIBTORCH = SymbolLookup.libraryLookup(library("torch_cpu"), Arena.global())
            .or(Linker.nativeLinker().defaultLookup());
    private static final MethodHandle CALL_DISPATCHER =
            function("torch_call_dispatcher", INT, ADDRESS, ADDRESS, ADDRESS, LONG);
    private static final MethodHandle NEW_TENSOR_HANDLE = function("aoti_torch_new_tensor_handle", INT, LONG, ADDRESS);
    private static final MethodHandle DELETE_TENSOR = function("aoti_torch_delete_tensor_object", INT, LONG);
    private static final MethodHandle NEW_LIST = function("torch_new_list_reserve_size", INT, LONG, ADDRESS);
    private static final MethodHandle LIST_PUSH_BACK = function("torch_list_push_back", INT, LONG, LONG);
    private static final MethodHandle LIST_SIZE = function("torch_list_size", INT, LONG, ADDRESS);
    private static final MethodHandle LIST_GET = function("torch_list_get_item", INT, LONG, LONG, ADDRESS);
    private static final MethodHandle DELETE_LIST = function("torch_delete_list", INT, LONG);
    private static final MethodHandle NEW_STRING = function("torch_new_string_handle", INT, ADDRESS, LONG, ADDRESS);
    private static final MethodHandle STRING_LENGTH = function("torch_string_length", INT, LONG, ADDRESS);
    private static final MethodHandle STRING_C_STR = function("torch_string_c_str", INT, LONG, ADDRESS);
    private static final MethodHandle DELETE_STRING = function("torch_delete_string", INT, LONG);

    private static final MethodHandle ABI_VERSION = function("aoti_torch_abi_version", LONG);

    // A non-empty optional is a StableIValue made with C++'s `new`, which libtorch frees with `delete`: these are the
    // two.
    private static final SymbolLookup LIBSTDCXX = SymbolLookup.libraryLookup(
            System.getProperty("os.name").startsWith("Mac") ? "libc++.1.dylib" : "libstdc++.so.6", Arena.global());
    private static final MethodHandle OPERATOR_NEW = function(LIBSTDCXX, "_Znwm", LONG, LONG);
    private static final MethodHandle OPERATOR_DELETE = function(LIBSTDCXX, "_ZdlPv", null, LONG);

    /** The version that this code was written for: libtorch converts from it to its own. */
    private static final long VERSION = 2L << 56 | 10L << 48;

    private StableAbi() {}

    private static Path library(String name) {
        String file = System.mapLibraryName(name);
        for (String loaded : Loader.getLoadedLibraries().values()) {
            Path path = Path.of(loaded);
            if (path.getFileName().toString().equals(file)) {
                return path;
            }
        }
        throw new IllegalStateException(file + " is not among the libraries that JavaCPP has loaded");
    }

    private static MethodHandle function(String name, @Nullable MemoryLayout result, MemoryLayout... arguments) {
        return function(LIBTORCH, name, result, arguments);
    }

    private static MethodHandle function(
            SymbolLookup library, String name, @Nullable MemoryLayout result, MemoryLayout... arguments) {
        MemorySegment address = library.find(name)
                .orElseThrow(() -> new IllegalStateException(
                        "the loaded libtorch has no function " + name + "; prefix4j needs libtorch 2.10 or newer"));
        FunctionDescriptor type =
                result == null ? FunctionDescriptor.ofVoid(arguments) : FunctionDescriptor.of(result, arguments);
        return Linker.nativeLinker().downcallHandle(address, type);
    }

    /** Address of {@code torch_parallel_for}, for native code that runs on libtorch's threads. */
    static long parallelFor() {
        return LIBTORCH.find("torch_parallel_for")
                .orElseThrow(() -> new IllegalStateException("the loaded libtorch has no function torch_parallel_for"))
                .address();
    }

    /** The version of the loaded libtorch, such as {@code 2.10.0}. */
    static String libtorchVersion() {
        try {
            long packed = (long) ABI_VERSION.invokeExact();
            return (packed >>> 56) + "." + (packed >>> 48 & 0xff) + "." + (packed >>> 40 & 0xff);
        } catch (Throwable e) {
            throw unexpected("aoti_torch_abi_version", e);
        }
    }

    /** Runs an operator on a stack of values, which it owns from then on; results replace them. Returns false on failure. */
    static boolean callDispatcher(MemorySegment name, MemorySegment overload, MemorySegment stack) {
        try {
            return (int) CALL_DISPATCHER.invokeExact(name, overload, stack, VERSION) == 0;
        } catch (Throwable e) {
            throw unexpected("torch_call_dispatcher", e);
        }
    }

    /** A second handle to the same tensor, whose ownership can be transferred. */
    static long newHandle(Tensor tensor) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment out = arena.allocate(LONG);
            check("aoti_torch_new_tensor_handle", (int) NEW_TENSOR_HANDLE.invokeExact(tensor.address(), out));
            return out.get(LONG, 0);
        } catch (Throwable e) {
            throw unexpected("aoti_torch_new_tensor_handle", e);
        }
    }

    /** Converts a handle to a JavaCPP tensor, owned by the open scope or the caller. */
    static Tensor adopt(long handle) {
        Tensor tensor = new Tensor(new Tensor(new Address(handle)));
        try {
            check("aoti_torch_delete_tensor_object", (int) DELETE_TENSOR.invokeExact(handle));
        } catch (Throwable e) {
            throw unexpected("aoti_torch_delete_tensor_object", e);
        }
        return tensor;
    }

    static long newString(String text, Arena arena) {
        byte[] utf8 = text.getBytes(StandardCharsets.UTF_8);
        MemorySegment bytes = arena.allocate(Math.max(1, utf8.length));
        MemorySegment.copy(utf8, 0, bytes, ValueLayout.JAVA_BYTE, 0, utf8.length);
        MemorySegment out = arena.allocate(LONG);
        try {
            check("torch_new_string_handle", (int) NEW_STRING.invokeExact(bytes, (long) utf8.length, out));
            return out.get(LONG, 0);
        } catch (Throwable e) {
            throw unexpected("torch_new_string_handle", e);
        }
    }

    static String takeString(long handle) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment out = arena.allocate(LONG);
            check("torch_string_length", (int) STRING_LENGTH.invokeExact(handle, out));
            long length = out.get(LONG, 0);
            check("torch_string_c_str", (int) STRING_C_STR.invokeExact(handle, out));
            byte[] utf8 = MemorySegment.ofAddress(out.get(LONG, 0))
                    .reinterpret(length)
                    .toArray(ValueLayout.JAVA_BYTE);
            check("torch_delete_string", (int) DELETE_STRING.invokeExact(handle));
            return new String(utf8, StandardCharsets.UTF_8);
        } catch (Throwable e) {
            throw unexpected("torch_string_c_str", e);
        }
    }

    /** A non-empty optional. */
    static long newBox(long value) {
        try {
            long box = (long) OPERATOR_NEW.invokeExact((long) Long.BYTES);
            MemorySegment.ofAddress(box).reinterpret(Long.BYTES).set(LONG, 0, value);
            return box;
        } catch (Throwable e) {
            throw unexpected("operator new", e);
        }
    }

    static long takeBox(long box) {
        long value = MemorySegment.ofAddress(box).reinterpret(Long.BYTES).get(LONG, 0);
        try {
            OPERATOR_DELETE.invokeExact(box);
        } catch (Throwable e) {
            throw unexpected("operator delete", e);
        }
        return value;
    }

    static long newList(long[] items) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment out = arena.allocate(LONG);
            check("torch_new_list_reserve_size", (int) NEW_LIST.invokeExact((long) items.length, out));
            long list = out.get(LONG, 0);
            for (long item : items) {
                check("torch_list_push_back", (int) LIST_PUSH_BACK.invokeExact(list, item));
            }
            return list;
        } catch (Throwable e) {
            throw unexpected("torch_list_push_back", e);
        }
    }

    static long[] takeList(long list) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment out = arena.allocate(LONG);
            check("torch_list_size", (int) LIST_SIZE.invokeExact(list, out));
            long[] items = new long[Math.toIntExact(out.get(LONG, 0))];
            for (int i = 0; i < items.length; i++) {
                check("torch_list_get_item", (int) LIST_GET.invokeExact(list, (long) i, out));
                items[i] = out.get(LONG, 0);
            }
            check("torch_delete_list", (int) DELETE_LIST.invokeExact(list));
            return items;
        } catch (Throwable e) {
            throw unexpected("torch_list_get_item", e);
        }
    }

    private static void check(String function, int code) {
        if (code != 0) {
            throw new IllegalStateException(function + " failed in libtorch");
        }
    }

    private static RuntimeException unexpected(String function, Throwable e) {
        return switch (e) {
            case RuntimeException runtime -> runtime;
            case Error error -> throw error;
            default -> new IllegalStateException(function + " failed", e);
        };
    }
}
