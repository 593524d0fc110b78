package dev.prefix4j.hub;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.prefix4j.InputException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.io.TempDir;

/** A hub on this machine, which answers as the real one does, or worse, and a cache for it. */
abstract class HubFixture {
    static final Path MODEL = Path.of("tests/resources/model");
    static final HubId ID = HubId.parse(FakeHub.MODEL).orElseThrow();
    static final Patience SHORT = new Patience(3, Duration.ofMillis(5), Duration.ofMinutes(1));

    @TempDir
    Path home;

    FakeHub hub;
    final List<String> heard = Collections.synchronizedList(new ArrayList<>());

    @BeforeEach
    void start() throws IOException {
        hub = new FakeHub(MODEL, "config.json", "model.safetensors", "tokenizer.json");
    }

    @AfterEach
    void stop() {
        hub.close();
    }

    final DownloadListener listener = new DownloadListener() {
        @Override
        public void started(String file, long done, long total) {
            heard.add("started " + file + " " + done + "/" + total);
        }

        @Override
        public void remark(String text) {
            heard.add(text);
        }
    };

    Path get(HubId id, String... environment) throws NotOnHubException {
        return get(hub.environment(home, environment), id);
    }

    Path get(Map<String, String> environment, HubId id) throws NotOnHubException {
        return new Hub(new HubEnvironment(environment), listener, SHORT).model(id, _ -> {});
    }

    String refused(HubId id, String... environment) {
        return assertThrows(InputException.class, () -> get(id, environment)).getMessage();
    }

    String notThere(HubId id, String... environment) {
        return assertThrows(NotOnHubException.class, () -> get(id, environment)).getMessage();
    }

    static HubId at(String revision) {
        return new HubId(FakeHub.MODEL, revision);
    }

    Path repository() {
        return home.resolve("hub/models--owner--tiny");
    }

    Path blob(String file) {
        return repository().resolve("blobs").resolve(FakeHub.hash("SHA-256", new byte[0], hub.files.get(file)));
    }

    Path incomplete(String file) {
        Path blob = blob(file);
        return blob.resolveSibling(blob.getFileName() + ".incomplete");
    }

    void assertModel(Path folder) throws IOException {
        for (Map.Entry<String, byte[]> file : hub.files.entrySet()) {
            assertArrayEquals(file.getValue(), Files.readAllBytes(folder.resolve(file.getKey())), file.getKey());
        }
    }

    List<String> blobs() throws IOException {
        try (Stream<Path> files = Files.list(repository().resolve("blobs"))) {
            return files.map(file -> file.getFileName().toString()).sorted().toList();
        }
    }
}
