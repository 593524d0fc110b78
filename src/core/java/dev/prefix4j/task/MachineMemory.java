package dev.prefix4j.task;

import dev.prefix4j.InputException;
import java.lang.management.ManagementFactory;

/** What the memory of this machine holds. */
public final class MachineMemory {
    private static final int GIB = 1 << 30;

    private MachineMemory() {}

    /**
     * Refuses what cannot fit, before anything of it is made.
     *
     * @param bytes at the least; more than a {@code long} counts is well above any machine
     * @param options that decide it, as they are given
     * @param what takes them
     * @throws InputException if the machine has less memory
     */
    public static void require(double bytes, String options, String what) {
        long memory = ((com.sun.management.OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean())
                .getTotalMemorySize();
        if (bytes > memory) {
            throw new InputException(
                    "%s: expected what fits into the memory of this machine, %,.1f GiB; %s would take %,.1f GiB or more"
                            .formatted(options, (double) memory / GIB, what, bytes / GIB));
        }
    }
}
