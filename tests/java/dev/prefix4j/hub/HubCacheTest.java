package dev.prefix4j.hub;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.FileSystem;
import java.nio.file.FileSystems;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class HubCacheTest {
    @TempDir
    Path temporary;

    @Test
    void copiesWhereThereAreNoLinks() throws IOException {
        // A zip file is a file system without symbolic links.
        try (FileSystem zip = FileSystems.newFileSystem(temporary.resolve("hub.zip"), Map.of("create", "true"))) {
            HubCache cache = new HubCache(zip.getPath("/hub"), "owner/tiny");
            RemoteFile file = new RemoteFile(new HubId("owner/tiny", "main"), "config.json", "c0", "some-tag", 3);
            byte[] content = {1, 2, 3};
            Files.write(cache.incomplete("some-tag"), content);
            cache.accept(file);
            assertTrue(cache.hasBlob(file));
            assertFalse(cache.has(file));
            cache.place(file);
            assertTrue(cache.has(file));
            assertArrayEquals(content, Files.readAllBytes(cache.snapshot("c0").resolve("config.json")));
        }
    }
}
