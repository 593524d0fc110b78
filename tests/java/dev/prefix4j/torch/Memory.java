package dev.prefix4j.torch;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** What this process holds, for leak tests (Linux; zero elsewhere, where those tests then prove nothing). */
public final class Memory {
    private Memory() {}

    /** Resident bytes of the process, Java heap included: collect garbage around a measurement that is exact. */
    public static long residentBytes() {
        return residentBytes("self");
    }

    /** Resident bytes of another process; zero if it has gone. */
    public static long residentBytes(long pid) {
        return residentBytes(Long.toString(pid));
    }

    private static long residentBytes(String process) {
        Path status = Path.of("/proc", process, "status");
        if (!Files.exists(status)) {
            return 0;
        }
        try (var lines = Files.lines(status)) {
            return lines.filter(l -> l.startsWith("VmRSS:"))
                    .mapToLong(l -> Long.parseLong(l.replaceAll("\\D", "")) << 10)
                    .findFirst()
                    .orElse(0);
        } catch (IOException e) {
            throw new AssertionError(e);
        }
    }
}
