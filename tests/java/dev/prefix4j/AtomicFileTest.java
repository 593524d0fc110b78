package dev.prefix4j;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.ServerSocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class AtomicFileTest {
    @TempDir
    Path folder;

    private List<String> names() throws IOException {
        try (Stream<Path> files = Files.list(folder)) {
            return files.map(file -> file.getFileName().toString()).sorted().toList();
        }
    }

    private static void run(String... command) throws Exception {
        Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
        String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assumeTrue(process.waitFor() == 0, output); // mknod needs root
    }

    @Test
    void replacesARegularFileAndKeepsItsPermissions() throws Exception {
        Path file = Files.writeString(folder.resolve("a"), "old");
        Files.setPosixFilePermissions(file, PosixFilePermissions.fromString("rw-r-----"));
        AtomicFile.write(file, "new");
        assertEquals("new", Files.readString(file));
        assertEquals("rw-r-----", PosixFilePermissions.toString(Files.getPosixFilePermissions(file)));
        assertEquals(List.of("a"), names());
    }

    @Test
    void aFailureLeavesTheOldFileAndNothingElse() throws Exception {
        Path file = Files.writeString(folder.resolve("a"), "old");
        assertThrows(
                IllegalStateException.class,
                () -> AtomicFile.write(file, out -> {
                    out.write(1);
                    throw new IllegalStateException();
                }));
        assertEquals("old", Files.readString(file));
        assertEquals(List.of("a"), names());
    }

    @Test
    void aLinkStaysAndItsTargetIsReplaced() throws Exception {
        Path elsewhere = Files.createDirectory(folder.resolve("elsewhere"));
        Path target = Files.writeString(elsewhere.resolve("target"), "old");
        Path link = Files.createSymbolicLink(folder.resolve("link"), Path.of("elsewhere/target"));
        Path chain = Files.createSymbolicLink(folder.resolve("chain"), Path.of("link"));
        AtomicFile.write(chain, "new");
        assertEquals("new", Files.readString(target));
        assertTrue(Files.isSymbolicLink(link) && Files.isSymbolicLink(chain));
    }

    @Test
    void aDanglingLinkMakesItsTarget() throws Exception {
        Path link = Files.createSymbolicLink(folder.resolve("link"), Path.of("target"));
        AtomicFile.write(link, "new");
        assertTrue(Files.isSymbolicLink(link));
        assertEquals("new", Files.readString(folder.resolve("target")));
    }

    @Test
    void aLinkIntoAMissingFolderIsRefused() throws Exception {
        Path link = Files.createSymbolicLink(folder.resolve("link"), Path.of("missing/target"));
        InputException e = assertThrows(InputException.class, () -> AtomicFile.write(link, "new"));
        assertTrue(e.getMessage().contains("missing, which does not exist"), e.getMessage());
    }

    @Test
    void linksInACircleAreRefused() throws Exception {
        Path a = Files.createSymbolicLink(folder.resolve("a"), Path.of("b"));
        Files.createSymbolicLink(folder.resolve("b"), Path.of("a"));
        InputException e = assertThrows(InputException.class, () -> AtomicFile.write(a, "new"));
        assertTrue(e.getMessage().startsWith(a + ": cannot be written"), e.getMessage());
    }

    @Test
    void foldersAndLinksToThemAreRefused() throws Exception {
        Path inner = Files.createDirectory(folder.resolve("inner"));
        Path link = Files.createSymbolicLink(folder.resolve("link"), inner);
        for (Path path : List.of(inner, link)) {
            InputException e = assertThrows(InputException.class, () -> AtomicFile.write(path, "new"));
            assertEquals(path + ": cannot be written: expected a file, found a folder", e.getMessage());
        }
        assertTrue(Files.isDirectory(inner) && Files.isSymbolicLink(link));
    }

    @Test
    void aSocketIsRefused() throws Exception {
        Path socket = folder.resolve("s");
        try (ServerSocketChannel server = ServerSocketChannel.open(StandardProtocolFamily.UNIX)) {
            server.bind(UnixDomainSocketAddress.of(socket));
            InputException e = assertThrows(InputException.class, () -> AtomicFile.write(socket, "new"));
            assertTrue(e.getMessage().endsWith("found a socket"), e.getMessage());
        }
    }

    @Test
    void aDeviceIsWrittenToAndStaysADevice() throws Exception {
        Path device = folder.resolve("null");
        run("mknod", device.toString(), "c", "1", "3"); // as /dev/null
        AtomicFile.write(device, "new");
        assertEquals(PathKind.CHARACTER_DEVICE, PathKind.of(device));
    }

    @Test
    void theErrorOfADeviceIsReported() throws Exception {
        Path device = folder.resolve("full");
        run("mknod", device.toString(), "c", "1", "7"); // as /dev/full
        Path link = Files.createSymbolicLink(folder.resolve("link"), device);
        for (Path path : List.of(device, link)) {
            InputException e = assertThrows(InputException.class, () -> AtomicFile.write(path, "new"));
            assertTrue(e.getMessage().startsWith(path + ": cannot be written: No space left"), e.getMessage());
        }
        assertEquals(PathKind.CHARACTER_DEVICE, PathKind.of(device));
    }

    @Test
    void aPipeIsWrittenTo() throws Exception {
        Path pipe = folder.resolve("pipe");
        run("mkfifo", pipe.toString());
        CompletableFuture<byte[]> reader = CompletableFuture.supplyAsync(() -> {
            try {
                return Files.readAllBytes(pipe);
            } catch (IOException e) {
                throw new IllegalStateException(e);
            }
        });
        AtomicFile.write(pipe, "new");
        assertArrayEquals("new".getBytes(StandardCharsets.UTF_8), reader.get(60, TimeUnit.SECONDS));
        assertEquals(PathKind.PIPE, PathKind.of(pipe));
    }

    @Test
    void aPipeIsNotAnInputFile() throws Exception {
        Path pipe = folder.resolve("pipe");
        run("mkfifo", pipe.toString());
        InputException e = assertThrows(InputException.class, () -> InputFile.open(pipe, "a data file"));
        assertEquals(pipe + ": expected a data file, found a named pipe", e.getMessage());
    }

    @Test
    void writesUnderTheLongestName() throws Exception {
        Path file = folder.resolve("n".repeat(255));
        AtomicFile.write(file, "new");
        assertTrue(Files.isRegularFile(file, LinkOption.NOFOLLOW_LINKS));
        assertFalse(AtomicFile.replaces(Path.of("/dev/null")));
    }
}
