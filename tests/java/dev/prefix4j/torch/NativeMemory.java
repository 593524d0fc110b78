package dev.prefix4j.torch;

import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SegmentAllocator;
import java.lang.foreign.StructLayout;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.lang.management.ManagementFactory;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import javax.management.JMException;
import javax.management.ObjectName;
import org.bytedeco.javacpp.Pointer;

/**
 * What steps leave behind in native memory, counted and not guessed from the size of the process: objects that JavaCPP's pointers own, and
 * bytes that the C library has given out (glibc's {@code mallinfo2}; elsewhere objects alone).
 *
 * <p>The virtual machine, above all its compilers, allocates from the C library too. What it says of itself (with
 * {@code -XX:NativeMemoryTracking=summary}, as the build sets it) is taken off. The rest still comes and goes with other threads, whereas a
 * leak grows in every window of steps: the window that grows least decides.
 */
public final class NativeMemory {
    private static final int WINDOWS = 6;

    /** Less than the smallest tensor takes: its header alone has more. */
    private static final long BYTES_A_STEP = 100;

    /** malloc.h: ten sizes. */
    private static final StructLayout INFO =
            MemoryLayout.structLayout(MemoryLayout.sequenceLayout(10, ValueLayout.JAVA_LONG));

    private static final int MAPPED = 4;
    private static final int IN_USE = 7;

    private static final Optional<MethodHandle> MALLINFO2 = Linker.nativeLinker()
            .defaultLookup()
            .find("mallinfo2")
            .map(address -> Linker.nativeLinker().downcallHandle(address, FunctionDescriptor.of(INFO)));

    private static final Pattern VM_TOTAL = Pattern.compile("(?m)^ +malloc: (\\d+)");

    /** What Java code asks for itself, such as arenas: ours. */
    private static final Pattern VM_OTHER = Pattern.compile("\\(malloc=(\\d+) tag=Other\\b");

    private final int steps;
    private final long bytesAStep;
    private final List<long[]> marks = new ArrayList<>(); // objects and bytes, at the ends of windows
    private int done;

    /** @param steps how often {@link #stepped} will be called; the first quarter warms up */
    public NativeMemory(int steps) {
        this(steps, BYTES_A_STEP);
    }

    /** @param bytesAStep less than what would be left behind takes, where steps are long for the JIT compiler to settle in */
    public NativeMemory(int steps, long bytesAStep) {
        this.steps = steps;
        this.bytesAStep = bytesAStep;
    }

    /** Runs steps and fails if they leave something behind. */
    public static void assertNothingIsLeftBehind(int steps, Runnable step) {
        NativeMemory memory = new NativeMemory(steps);
        for (int i = 0; i < steps; i++) {
            step.run();
            memory.stepped();
        }
        memory.assertNothingIsLeftBehind();
    }

    /** After each step, always at the same place in it. */
    public void stepped() {
        done++;
        int warm = steps / 4;
        int window = (steps - warm) / WINDOWS;
        if (done >= warm && (done - warm) % window == 0) {
            marks.add(new long[] {Pointer.totalCount(), bytes()});
        }
    }

    public void assertNothingIsLeftBehind() {
        assertTrue(marks.size() > WINDOWS, done + " steps were taken of " + steps);
        long objects = least(0);
        long bytes = least(1);
        long window = (steps - steps / 4) / WINDOWS;
        String found = "%d steps leave %d objects and %d bytes behind, at least".formatted(window, objects, bytes);
        System.out.println(found);
        assertTrue(objects <= 0, found);
        assertTrue(bytes < window * bytesAStep, found);
    }

    private long least(int what) {
        long least = Long.MAX_VALUE;
        for (int i = 1; i < marks.size(); i++) {
            least = Math.min(least, marks.get(i)[what] - marks.get(i - 1)[what]);
        }
        return least;
    }

    /** In use, less what the virtual machine uses; 0 where the C library does not tell. */
    public static long bytes() {
        return MALLINFO2.isEmpty() ? 0 : allBytes() - virtualMachineBytes();
    }

    private static long allBytes() {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment info = (MemorySegment) MALLINFO2.get().invokeExact((SegmentAllocator) arena);
            return info.getAtIndex(ValueLayout.JAVA_LONG, MAPPED) + info.getAtIndex(ValueLayout.JAVA_LONG, IN_USE);
        } catch (Throwable e) {
            throw new AssertionError(e);
        }
    }

    /** 0 where the virtual machine does not track them. */
    static long virtualMachineBytes() {
        try {
            String summary = (String) ManagementFactory.getPlatformMBeanServer()
                    .invoke(
                            new ObjectName("com.sun.management:type=DiagnosticCommand"),
                            "vmNativeMemory",
                            new Object[] {new String[] {"summary", "scale=b"}},
                            new String[] {String[].class.getName()});
            return number(VM_TOTAL, summary) - number(VM_OTHER, summary);
        } catch (JMException e) {
            return 0;
        }
    }

    private static long number(Pattern pattern, String text) {
        Matcher matcher = pattern.matcher(text);
        return matcher.find() ? Long.parseLong(matcher.group(1)) : 0;
    }
}
