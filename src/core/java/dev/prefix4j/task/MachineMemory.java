package dev.prefix4j.task;

import dev.prefix4j.InputException;
import java.lang.management.ManagementFactory;

/** The memory of this machine. */
public final class MachineMemory {
    private static final int GIB = 1 << 30;

    private MachineMemory() {}

    /**
     * Refuses what cannot fit, before any of it is allocated.
     *
     * @param bytes needed at least; may be more than a {@code long} holds
     * @param options that determine the size, with their values, for the message
     * @param what needs the bytes, for the message
     * @throws InputException if the machine has less memory
     */
    public static void require(double bytes, String options, String what) {
        long memory = ((com.sun.management.OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean())
                .getTotalMemorySize();
        if (bytes > memory) {
            throw new InputException(
                    "%s: expected sizes that fit into this machine's memory, %,.1f GiB; %s would take %,.1f GiB or more"
                            .formatted(options, (double) memory / GIB, what, bytes / GIB));
        }
    }
}
