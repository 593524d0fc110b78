package dev.prefix4j;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.channels.OverlappingFileLockException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class FirstStartTest {
    private static final String WHOLE = "a library, of which nobody may see the half";
    private static final int PROCESSES = 3;

    @TempDir
    Path folder;

    /** Unpacks the library if it is not there, as slowly as it takes the other processes to come, and reads it. */
    public static void main(String[] arguments) throws IOException {
        Path folder = Path.of(arguments[0]);
        Files.createFile(folder.resolve("process-" + arguments[1]));
        FirstStart.load(folder, "test", () -> List.of(unpackAndRead(folder)));
    }

    private static Path unpackAndRead(Path folder) {
        Path library = folder.resolve("library");
        try {
            if (!Files.exists(library)) {
                Files.writeString(library, WHOLE.substring(0, 10));
                while (processes(folder) < PROCESSES) {
                    Thread.sleep(5);
                }
                Thread.sleep(200); // without the lock, another one finds the half in this time
                Files.writeString(library, WHOLE.substring(10), StandardOpenOption.APPEND);
            }
            if (!Files.readString(library).equals(WHOLE)) {
                throw new AssertionError("found '" + Files.readString(library) + "'");
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        } catch (InterruptedException e) {
            throw new AssertionError(e);
        }
        return library;
    }

    private static long processes(Path folder) throws IOException {
        try (var files = Files.newDirectoryStream(folder, "process-*")) {
            long count = 0;
            for (Path _ : files) {
                count++;
            }
            return count;
        }
    }

    @Test
    void processesOnAnEmptyFolderUnpackOneAfterTheOther() throws Exception {
        List<Process> processes = new ArrayList<>();
        for (int i = 0; i < PROCESSES; i++) {
            processes.add(new ProcessBuilder(
                            Path.of(System.getProperty("java.home"), "bin", "java")
                                    .toString(),
                            "-XX:+UseSerialGC",
                            "-Xmx32m",
                            "-cp",
                            System.getProperty("java.class.path"),
                            FirstStartTest.class.getName(),
                            folder.toString(),
                            Integer.toString(i))
                    .redirectErrorStream(true)
                    .start());
        }
        for (Process process : processes) {
            String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
            assertEquals(0, process.waitFor(), output);
        }
        assertEquals(WHOLE, Files.readString(folder.resolve("library")));
    }

    private Collection<Path> write(List<String> loads) {
        loads.add("load");
        try {
            return List.of(Files.writeString(folder.resolve("library"), WHOLE));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    @Test
    void theSecondStartTakesNoLockUnlessAFileIsMissing() throws IOException {
        List<String> loads = new ArrayList<>();
        FirstStart.load(folder, "test", () -> write(loads));
        try (FileChannel channel = FileChannel.open(folder.resolve(".prefix4j-test.lock"), StandardOpenOption.WRITE);
                FileLock _ = channel.lock()) {
            FirstStart.load(folder, "test", () -> write(loads));
            assertEquals(2, loads.size());
            Files.delete(folder.resolve("library"));
            // What the platform says when one process takes a lock twice; another process would wait.
            assertThrows(OverlappingFileLockException.class, () -> FirstStart.load(folder, "test", () -> write(loads)));
            assertEquals(2, loads.size());
        }
        FirstStart.load(folder, "test", () -> write(loads));
        assertEquals(3, loads.size());
    }

    @Test
    void aFolderThatCannotBeLockedIsUsedWithout() throws IOException {
        List<String> loads = new ArrayList<>();
        Path none = Files.writeString(folder.resolve("file"), "").resolve("folder");
        FirstStart.load(none, "test", () -> write(loads));
        Files.createDirectory(folder.resolve(".prefix4j-test.lock"));
        FirstStart.load(folder, "test", () -> write(loads));
        assertEquals(2, loads.size());
        assertFalse(Files.exists(folder.resolve(".prefix4j-test.unpacked")), "nobody else has been kept out");
    }

    @Test
    void aLoadThatFailsIsNotRemembered() {
        assertThrows(
                LinkageError.class,
                () -> FirstStart.load(folder, "test", () -> {
                    throw new LinkageError("no such library");
                }));
        List<String> loads = new ArrayList<>();
        FirstStart.load(folder, "test", () -> write(loads));
        assertEquals(1, loads.size());
        assertTrue(Files.exists(folder.resolve(".prefix4j-test.unpacked")));
    }
}
