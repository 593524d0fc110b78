package dev.prefix4j.torch;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** What this process holds, for leak tests (Linux; zero elsewhere, where those tests then prove nothing). */
public final class Memory {
    private Memory() {}

    /** Resident bytes of the process, Java heap included: collect garbage around a measurement that is exact. */
    public static long residentBytes() {
        Path status = Path.of("/proc/self/status");
        if (!Files.exists(status)) {
            return 0;
        }
        try (var lines = Files.lines(status)) {
            String line = lines.filter(l -> l.startsWith("VmRSS:")).findFirst().orElseThrow();
            return Long.parseLong(line.replaceAll("\\D", "")) << 10;
        } catch (IOException e) {
            throw new AssertionError(e);
        }
    }
}
