package dev.prefix4j.hub;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.sun.net.httpserver.HttpExchange;
import dev.prefix4j.InputException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.BooleanSupplier;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Models of a hub on this machine, which answers as the real one does, or worse. */
class HubTest {
    private static final Path MODEL = Path.of("tests/resources/model");
    private static final HubId ID = HubId.parse(FakeHub.MODEL).orElseThrow();
    private static final Patience SHORT = new Patience(3, Duration.ofMillis(5), Duration.ofMinutes(1));

    @TempDir
    Path home;

    private FakeHub hub;
    private final List<String> heard = Collections.synchronizedList(new ArrayList<>());

    @BeforeEach
    void start() throws IOException {
        hub = new FakeHub(MODEL, "config.json", "model.safetensors", "tokenizer.json");
    }

    @AfterEach
    void stop() {
        hub.close();
    }

    private final DownloadListener listener = new DownloadListener() {
        @Override
        public void started(String file, long done, long total) {
            heard.add("started " + file + " " + done + "/" + total);
        }

        @Override
        public void remark(String text) {
            heard.add(text);
        }
    };

    private Path get(HubId id, String... environment) throws NotOnHubException {
        return get(hub.environment(home, environment), id);
    }

    private Path get(Map<String, String> environment, HubId id) throws NotOnHubException {
        return new Hub(new HubEnvironment(environment), listener, SHORT).model(id, _ -> {});
    }

    private String refused(HubId id, String... environment) {
        return assertThrows(InputException.class, () -> get(id, environment)).getMessage();
    }

    private String notThere(HubId id, String... environment) {
        return assertThrows(NotOnHubException.class, () -> get(id, environment)).getMessage();
    }

    private static HubId at(String revision) {
        return new HubId(FakeHub.MODEL, revision);
    }

    private Path repository() {
        return home.resolve("hub/models--owner--tiny");
    }

    private Path blob(String file) {
        return repository().resolve("blobs").resolve(FakeHub.hash("SHA-256", new byte[0], hub.files.get(file)));
    }

    private Path incomplete(String file) {
        Path blob = blob(file);
        return blob.resolveSibling(blob.getFileName() + ".incomplete");
    }

    private void assertModel(Path folder) throws IOException {
        for (Map.Entry<String, byte[]> file : hub.files.entrySet()) {
            assertArrayEquals(file.getValue(), Files.readAllBytes(folder.resolve(file.getKey())), file.getKey());
        }
    }

    private List<String> blobs() throws IOException {
        try (Stream<Path> files = Files.list(repository().resolve("blobs"))) {
            return files.map(file -> file.getFileName().toString()).sorted().toList();
        }
    }

    @Test
    void layOutIsThatOfHuggingFace() throws Exception {
        hub.files.put("generation_config.json", "{}".getBytes(StandardCharsets.UTF_8));
        Path folder = get(ID);
        assertEquals(repository().resolve("snapshots").resolve(FakeHub.COMMIT), folder);
        assertModel(folder);
        assertEquals(FakeHub.COMMIT, Files.readString(repository().resolve("refs/main")));
        Path link = folder.resolve("model.safetensors");
        assertEquals(
                Path.of("../../blobs", blob("model.safetensors").getFileName().toString()),
                Files.readSymbolicLink(link));
        assertTrue(Files.isSymbolicLink(folder.resolve("generation_config.json")));
        assertTrue(Files.exists(home.resolve(
                "hub/.locks/models--owner--tiny/" + blob("model.safetensors").getFileName() + ".lock")));
        assertEquals(4, blobs().size());
        assertTrue(blobs().stream().allMatch(name -> name.matches("[0-9a-f]{40}|[0-9a-f]{64}")));
    }

    @Test
    void whatChangesATokenizerComesAlong() throws Exception {
        for (String part : List.of("tokenizer_config.json", "special_tokens_map.json", "added_tokens.json")) {
            hub.files.put(part, ("{\"of\": \"" + part + "\"}").getBytes(StandardCharsets.UTF_8));
        }
        Path folder = get(ID);
        assertModel(folder);
        assertEquals(
                List.of(
                        "added_tokens.json",
                        "config.json",
                        "model.safetensors",
                        "special_tokens_map.json",
                        "tokenizer.json",
                        "tokenizer_config.json"),
                hub.downloads());
        hub.requests.clear();
        assertEquals(folder, get(ID, "HF_HUB_OFFLINE", "1"));
        assertEquals(List.of(), hub.requests);
    }

    @Test
    void partsOfATokenizerThatTheModelLacksAreNoErrorAndNotAskedForAgain() throws Exception {
        hub.files.put("added_tokens.json", "{\"<|sep|>\": 300}".getBytes(StandardCharsets.UTF_8));
        Path folder = get(ID);
        assertModel(folder);
        assertFalse(Files.exists(folder.resolve("tokenizer_config.json")));
        assertFalse(Files.exists(folder.resolve("special_tokens_map.json")));
        assertEquals(
                1,
                hub.paths("HEAD").stream()
                        .filter(path -> path.endsWith("/tokenizer_config.json"))
                        .count());
        hub.requests.clear();
        get(ID);
        assertEquals(List.of("/owner/tiny/resolve/main/config.json"), hub.paths("HEAD"));
        assertEquals(List.of(), hub.downloads());
    }

    @Test
    void oversizedPartOfATokenizerIsRefusedUnread() {
        hub.files.put("tokenizer_config.json", new byte[(16 << 20) + 1]);
        assertEquals(
                "owner/tiny: tokenizer_config.json: expected at most 16,777,216 bytes, found 16,777,217", refused(ID));
        assertFalse(hub.downloads().contains("tokenizer_config.json"));
    }

    @Test
    void secondTimeOnlyTheRevisionIsAsked() throws Exception {
        Path folder = get(ID);
        hub.requests.clear();
        assertEquals(folder, get(ID));
        assertEquals(1, hub.requests.size());
        assertEquals("/owner/tiny/resolve/main/config.json", hub.paths("HEAD").getFirst());
        assertEquals(folder, get(at(FakeHub.COMMIT)));
        assertEquals(1, hub.requests.size(), "a commit is not asked for");
    }

    @Test
    void revisionThatMovesOnIsFollowedAndUnchangedFilesStay() throws Exception {
        get(ID);
        hub.revisions.put("main", FakeHub.NEXT_COMMIT);
        hub.files.put("config.json", "{\"new\": 1}".getBytes(StandardCharsets.UTF_8));
        hub.requests.clear();
        Path folder = get(ID);
        assertEquals(FakeHub.NEXT_COMMIT, folder.getFileName().toString());
        assertModel(folder);
        assertEquals(List.of("config.json"), hub.downloads());
        assertEquals(FakeHub.NEXT_COMMIT, Files.readString(repository().resolve("refs/main")));
    }

    @Test
    void namesARevision() throws Exception {
        hub.revisions.put("v1", FakeHub.NEXT_COMMIT);
        hub.revisions.put("refs/pr/7", FakeHub.NEXT_COMMIT);
        assertEquals(FakeHub.NEXT_COMMIT, get(at("v1")).getFileName().toString());
        assertEquals(FakeHub.NEXT_COMMIT, get(at("refs/pr/7")).getFileName().toString());
        assertEquals(FakeHub.NEXT_COMMIT, Files.readString(repository().resolve("refs/refs/pr/7")));
        assertTrue(hub.paths("HEAD").contains("/owner/tiny/resolve/refs%2Fpr%2F7/config.json"));
        assertEquals(FakeHub.COMMIT, get(at(FakeHub.COMMIT)).getFileName().toString());
        assertFalse(Files.exists(repository().resolve("refs").resolve(FakeHub.COMMIT)));
        assertEquals(
                "owner/tiny@v9: " + hub.endpoint().substring(7) + " has no revision 'v9' of this model",
                refused(at("v9")));
    }

    @Test
    void tokenGoesToTheHubAndNotToItsCdn() throws Exception {
        get(ID, "HF_TOKEN", "hf_secret");
        assertTrue(hub.requests.stream().anyMatch(request -> request.server().equals("cdn")));
        for (FakeHub.Request request : hub.requests) {
            assertEquals(
                    request.server().equals("hub") ? Optional.of("Bearer hf_secret") : Optional.empty(),
                    request.authorization(),
                    request.toString());
        }
    }

    @Test
    void tokenComesFromTheFileOfTheLogin() throws Exception {
        Files.writeString(home.resolve("token"), "hf_of_the_file\n");
        get(ID);
        assertEquals(
                Optional.of("Bearer hf_of_the_file"), hub.requests.getFirst().authorization());
    }

    @Test
    void renamedModelIsFollowedWithTheToken() throws Exception {
        FakeHub.Fault rename = exchange -> {
            String path = exchange.getRequestURI().getRawPath();
            if (!path.startsWith("/old/")) {
                return false;
            }
            exchange.getResponseHeaders().set("Location", path.replace("/old/name/", "/owner/tiny/"));
            exchange.sendResponseHeaders(307, -1);
            return true;
        };
        hub.fault = rename;
        Path folder = get(new HubId("old/name", "main"), "HF_TOKEN", "hf_secret");
        assertModel(folder);
        assertEquals(home.resolve("hub/models--old--name/snapshots").resolve(FakeHub.COMMIT), folder);
        assertTrue(hub.requests.stream()
                .filter(request -> request.server().equals("hub"))
                .allMatch(request -> request.authorization().isPresent()));
    }

    @Test
    void redirectsEnd() {
        hub.fault = exchange -> {
            exchange.getResponseHeaders()
                    .set("Location", exchange.getRequestURI().getRawPath());
            exchange.sendResponseHeaders(307, -1);
            return true;
        };
        assertTrue(notThere(ID).endsWith("cannot be reached: more than 5 redirects"));
    }

    @Test
    void redirectElsewhereThanTheWebIsRefused() {
        hub.fault = exchange -> {
            exchange.getResponseHeaders().set("Location", "file:///etc/passwd");
            exchange.sendResponseHeaders(302, -1);
            return true;
        };
        assertTrue(refused(ID)
                .endsWith("expected a redirect to an address as safe as its own, found 'file:///etc/passwd'"));
    }

    @Test
    void truncatedBodyIsResumed() throws Exception {
        byte[] weights = hub.files.get("model.safetensors");
        AtomicInteger failures = new AtomicInteger();
        hub.fault = exchange -> {
            if (!FakeHub.is(exchange, "GET", "model.safetensors") || failures.get() > 0 || isHub(exchange)) {
                return false;
            }
            failures.incrementAndGet();
            FakeHub.cutOff(exchange, weights, weights.length / 3, incomplete("model.safetensors"));
            return true;
        };
        assertModel(get(ID));
        List<String> ranges = hub.requests.stream()
                .filter(request -> request.server().equals("cdn"))
                .map(request -> request.range().orElse("all"))
                .toList();
        assertEquals(List.of("all", "bytes=" + weights.length / 3 + "-"), ranges);
        assertTrue(heard.stream().anyMatch(text -> text.endsWith("; try 2 of 3")), heard.toString());
    }

    private boolean isHub(HttpExchange exchange) {
        return exchange.getLocalAddress().getPort()
                == Integer.parseInt(hub.endpoint().replaceAll(".*:", ""));
    }

    @Test
    void nextDownloadGoesOnFromABrokenOne() throws Exception {
        byte[] weights = hub.files.get("model.safetensors");
        hub.fault = exchange -> {
            if (!FakeHub.is(exchange, "GET", "model.safetensors") || isHub(exchange)) {
                return false;
            }
            if (exchange.getRequestHeaders().containsKey("Range")) {
                FakeHub.error(exchange, 503, null);
            } else {
                FakeHub.cutOff(exchange, weights, 1000, incomplete("model.safetensors"));
            }
            return true;
        };
        assertTrue(refused(ID).contains(" was interrupted: HTTP 503 from 127.0.0.1"));
        Path incomplete = incomplete("model.safetensors");
        assertEquals(1000, Files.size(incomplete));
        assertFalse(Files.exists(repository().resolve("refs/main")), "a ref promises a snapshot");
        hub.fault = _ -> false;
        hub.requests.clear();
        assertModel(get(ID));
        assertFalse(Files.exists(incomplete));
        assertEquals(List.of("model.safetensors"), hub.downloads());
        assertTrue(heard.contains("started model.safetensors 1000/" + weights.length));
    }

    /** What a server may do with a Range that it does not like. */
    @ParameterizedTest
    @CsvSource({"200", "206", "416"})
    void unusableRangeStartsOver(int status) throws Exception {
        byte[] weights = hub.files.get("model.safetensors");
        Path blobs = Files.createDirectories(repository().resolve("blobs"));
        Files.write(blobs.resolve(blob("model.safetensors").getFileName() + ".incomplete"), new byte[100]);
        hub.fault = exchange -> {
            if (!FakeHub.is(exchange, "GET", "model.safetensors")
                    || isHub(exchange)
                    || !exchange.getRequestHeaders().containsKey("Range")) {
                return false;
            }
            switch (status) {
                case 416 -> FakeHub.error(exchange, 416, null);
                case 206 -> {
                    exchange.getResponseHeaders()
                            .set("Content-Range", "bytes 0-" + (weights.length - 1) + "/" + weights.length);
                    exchange.sendResponseHeaders(206, weights.length);
                    exchange.getResponseBody().write(weights);
                }
                default -> {
                    exchange.sendResponseHeaders(200, weights.length);
                    exchange.getResponseBody().write(weights);
                }
            }
            return true;
        };
        assertModel(get(ID));
    }

    @Test
    void silentServerIsGivenUp() throws Exception {
        hub.fault = exchange -> {
            if (FakeHub.is(exchange, "GET", "config.json")) {
                exchange.sendResponseHeaders(200, 1000);
                exchange.getResponseBody().write(new byte[10]);
                exchange.getResponseBody().flush();
                FakeHub.pause(10_000);
                return true;
            }
            return false;
        };
        Hub impatient = new Hub(
                new HubEnvironment(hub.environment(home)),
                listener,
                new Patience(3, Duration.ofMillis(5), Duration.ofSeconds(1)));
        heard.add(assertThrows(InputException.class, () -> impatient.model(ID, _ -> {}))
                .getMessage());
        assertTrue(heard.getLast().contains(" was interrupted: "), heard.toString());
        // One of three tries is enough: beside a load, an answer may be late before its body is silent.
        assertTrue(heard.stream().anyMatch(text -> text.contains("nothing arrived for 1.0 s")), heard.toString());
    }

    @Test
    void damagedContentIsRefusedAndDeleted() throws Exception {
        hub.fault = exchange -> {
            if (!FakeHub.is(exchange, "GET", "model.safetensors") || isHub(exchange)) {
                return false;
            }
            byte[] bytes = hub.files.get("model.safetensors").clone();
            bytes[bytes.length / 2] ^= 1;
            FakeHub.content(exchange, bytes);
            return true;
        };
        assertTrue(refused(ID).startsWith("owner/tiny: model.safetensors: expected content with hash "));
        assertEquals(2, blobs().size());
        hub.fault = exchange -> {
            if (FakeHub.is(exchange, "GET", "generation_config.json")) {
                FakeHub.content(exchange, "[]".getBytes(StandardCharsets.UTF_8));
                return true;
            }
            return false;
        };
        hub.files.put("generation_config.json", "{}".getBytes(StandardCharsets.UTF_8));
        assertTrue(refused(ID).startsWith("owner/tiny: generation_config.json: expected content with hash "));
        hub.fault = _ -> false;
        assertModel(get(ID));
    }

    @Test
    void endlessContentIsRefused() {
        hub.fault = exchange -> {
            if (!FakeHub.is(exchange, "GET", "config.json")) {
                return false;
            }
            exchange.sendResponseHeaders(200, 0); // of no length that is known
            exchange.getResponseBody().write(new byte[100_000]);
            return true;
        };
        assertTrue(refused(ID).contains("bytes arrived"));
    }

    @ParameterizedTest
    @ValueSource(strings = {"..", "../../../etc/cron.d/x", "a/b", "", ".hidden", "a b", "é"})
    void tagThatIsNoPlainNameIsRefused(String tag) throws IOException {
        hub.etag = _ -> tag;
        String message = refused(ID);
        assertTrue(message.startsWith("owner/tiny: config.json: tag of the answer of 127.0.0.1:"), message);
        assertFalse(Files.exists(repository()));
    }

    @ParameterizedTest
    @ValueSource(strings = {"..", "../../x", "a/b"})
    void commitThatIsNoPlainNameIsRefused(String commit) {
        hub.revisions.put("main", commit);
        assertTrue(refused(ID).startsWith("owner/tiny: config.json: commit of the answer of 127.0.0.1:"));
        assertFalse(Files.exists(repository()));
    }

    @ParameterizedTest
    @CsvSource({
        "Content-Length, 99999999, 'config.json: expected at most 4,194,304 bytes, found 99,999,999'",
        "X-Linked-Size, 99999999999999999, 'expected at most 4,194,304 bytes'",
        "X-Linked-Size, -5, 'expected a number of bytes'",
        "X-Linked-Size, 1e9, 'expected a number of bytes'",
        "X-Repo-Commit, '', 'commit of the answer of'",
    })
    void absurdHeadersAreRefused(String name, String value, String expected) {
        hub.fault = exchange -> {
            if (!exchange.getRequestMethod().equals("HEAD")) {
                return false;
            }
            exchange.getResponseHeaders().set("ETag", "\"abc\"");
            exchange.getResponseHeaders().set("X-Repo-Commit", FakeHub.COMMIT);
            exchange.getResponseHeaders().set("Content-Length", "10");
            exchange.getResponseHeaders().set(name, value);
            exchange.sendResponseHeaders(200, -1);
            return true;
        };
        String message = refused(ID);
        assertTrue(message.contains(expected), message);
    }

    @Test
    void fileLargerThanTheDiskIsRefused() {
        hub.fault = exchange -> {
            if (FakeHub.is(exchange, "HEAD", "model.safetensors")) {
                exchange.getResponseHeaders().set("ETag", "\"abc\"");
                exchange.getResponseHeaders().set("X-Repo-Commit", FakeHub.COMMIT);
                exchange.getResponseHeaders().set("X-Linked-Size", "900000000000000000");
                exchange.sendResponseHeaders(200, -1);
                return true;
            }
            return false;
        };
        assertTrue(refused(ID).contains("model.safetensors needs 900,000,000,000,000,000 bytes on the disk, found "));
    }

    @Test
    void otherServersAreRecognized() {
        hub.fault = exchange -> {
            exchange.sendResponseHeaders(200, -1);
            return true;
        };
        assertTrue(refused(ID).endsWith("found none: is it a hub?"));
    }

    @Test
    void missingThingsAreToldApart() {
        String host = hub.endpoint().substring(7);
        assertEquals(
                host + " has no such repository (HTTP 404), or a private one, which needs HF_TOKEN",
                notThere(new HubId("owner/other", "main")));
        assertEquals(
                host + " has no such repository (HTTP 404), or HF_TOKEN does not open it",
                notThere(new HubId("owner/other", "main"), "HF_TOKEN", "hf_secret"));
        hub.files.remove("tokenizer.json");
        assertEquals(
                "owner/tiny: expected tokenizer.json, or vocab.json and merges.txt, found neither at " + host,
                refused(ID));
        hub.files.put("vocab.json", new byte[0]);
        hub.files.put("merges.txt", new byte[0]);
        hub.files.remove("model.safetensors");
        assertTrue(refused(ID).startsWith("owner/tiny: expected model.safetensors, found none at " + host));
        hub.files.remove("config.json");
        assertEquals(host + " has no config.json at its revision main", notThere(ID));
        assertEquals(
                List.of(), heard.stream().filter(text -> text.contains("try")).toList());
    }

    @ParameterizedTest
    @CsvSource({
        "401, , has no such repository (HTTP 401)",
        "401, RepoNotFound, has no such repository (HTTP 401)",
        "401, GatedRepo, 'owner/tiny: a gated model: ask for access at '",
        "403, GatedRepo, 'owner/tiny: a gated model: ask for access at '",
        "403, , denies access (HTTP 403): HF_TOKEN is not set",
        "418, , 'expected a file from '",
    })
    void deniedAccessSaysWhatIsNeeded(int status, String code, String expected) {
        hub.fault = exchange -> {
            FakeHub.error(exchange, status, code);
            return true;
        };
        Exception e = assertThrows(Exception.class, () -> get(ID));
        assertTrue(e.getMessage().contains(expected), e.getMessage());
        assertTrue(status == 418 || e.getMessage().contains("HF_TOKEN"), e.getMessage());
        assertEquals(1, hub.requests.size(), "a refusal is final");
    }

    @Test
    void failingServerIsAskedThreeTimes() throws Exception {
        hub.fault = exchange -> {
            if (hub.requests.size() > 2) {
                return false;
            }
            FakeHub.error(exchange, 502, null);
            return true;
        };
        assertModel(get(ID));
        hub.fault = exchange -> {
            FakeHub.error(exchange, 502, null);
            return true;
        };
        hub.requests.clear();
        assertTrue(notThere(new HubId("owner/other", "main")).contains(" cannot be reached: HTTP 502 from 127.0.0.1"));
        assertEquals(3, hub.requests.size());
    }

    @Test
    void withoutANetworkTheCacheIsUsedAndSaysSo() throws Exception {
        Path folder = get(ID);
        Map<String, String> environment = hub.environment(home);
        hub.close();
        assertEquals(folder, get(environment, ID));
        assertTrue(heard.getLast()
                .endsWith("cannot be reached (the connection was refused); using the copy in the cache"));
        String message = assertThrows(NotOnHubException.class, () -> get(environment, at("v1")))
                .getMessage();
        assertTrue(message.endsWith(" cannot be reached: the connection was refused"), message);
    }

    @Test
    void brokenUpdateFallsBackToWhatIsWhole() throws Exception {
        Path folder = get(ID);
        hub.revisions.put("main", FakeHub.NEXT_COMMIT);
        hub.files.put("config.json", "{\"new\": 1}".getBytes(StandardCharsets.UTF_8));
        hub.fault = exchange -> {
            if (!FakeHub.is(exchange, "GET", "config.json")) {
                return false;
            }
            FakeHub.error(exchange, 500, null);
            return true;
        };
        assertEquals(folder, get(ID));
        assertEquals(FakeHub.COMMIT, Files.readString(repository().resolve("refs/main")));
    }

    @Test
    void offlineNothingIsAsked() throws Exception {
        assertEquals(
                "not all of its files are in " + home.resolve("hub") + ", and HF_HUB_OFFLINE is set",
                notThere(ID, "HF_HUB_OFFLINE", "1"));
        assertEquals(List.of(), hub.requests);
        Path folder = get(ID);
        hub.requests.clear();
        assertEquals(folder, get(ID, "HF_HUB_OFFLINE", "true"));
        assertEquals(folder, get(at(FakeHub.COMMIT), "HF_HUB_OFFLINE", "1"));
        Files.delete(folder.resolve("tokenizer.json"));
        assertTrue(notThere(ID, "HF_HUB_OFFLINE", "1").startsWith("not all of its files are in "));
        assertEquals(List.of(), hub.requests);
    }

    @Test
    void whatTransformersDownloadedIsUsed() throws Exception {
        // As its client leaves it: a ref, blobs, links, and .no_exist for what the model does not have.
        Path blobs = Files.createDirectories(repository().resolve("blobs"));
        Path snapshot =
                Files.createDirectories(repository().resolve("snapshots").resolve(FakeHub.COMMIT));
        Files.createDirectories(repository().resolve(".no_exist").resolve(FakeHub.COMMIT));
        Files.writeString(Files.createDirectories(repository().resolve("refs")).resolve("main"), FakeHub.COMMIT);
        for (String file : List.of("config.json", "model.safetensors", "vocab.json", "merges.txt")) {
            Files.copy(MODEL.resolve(file), blobs.resolve("blob-of-" + file));
            Files.createSymbolicLink(snapshot.resolve(file), Path.of("../../blobs/blob-of-" + file));
        }
        assertEquals(snapshot, get(ID));
        assertEquals(snapshot, get(ID, "HF_HUB_OFFLINE", "1"));
        assertEquals(List.of(), hub.downloads());
        assertFalse(Files.exists(home.resolve("hub/.locks")), "a cache that others own may be read-only");
        Files.delete(blobs.resolve("blob-of-config.json")); // now the link leads nowhere
        assertModel(get(ID));
        assertEquals(List.of("config.json", "tokenizer.json"), hub.downloads());
    }

    @ParameterizedTest
    @ValueSource(strings = {"snapshots/COMMIT/config.json", "snapshots/COMMIT/special_tokens_map.json", "refs/main"})
    void aLinkThatLeavesTheCacheIsRefusedUnread(String place) throws Exception {
        get(ID);
        Path secret = Files.writeString(home.resolve("secret"), "root:secret:0");
        Path link = repository().resolve(place.replace("COMMIT", FakeHub.COMMIT));
        Files.deleteIfExists(link);
        Files.createSymbolicLink(link, secret);
        String message = refused(ID, "HF_HUB_OFFLINE", "1");
        assertTrue(message.startsWith(link + ": expected a file in the cache, found a link that leaves "), message);
        assertFalse(message.contains("root:secret"), message);
    }

    @Test
    void blobsMayBeLinkedToAnotherDisk() throws Exception {
        get(ID);
        Path disk = Files.move(repository().resolve("blobs"), home.resolve("disk"));
        Files.createSymbolicLink(repository().resolve("blobs"), disk);
        assertModel(get(ID, "HF_HUB_OFFLINE", "1"));
    }

    @Test
    void aPipeForALockIsRefused() throws Exception {
        Path lock = home.resolve("hub/.locks/models--owner--tiny")
                .resolve(blob("model.safetensors").getFileName() + ".lock");
        Files.createDirectories(lock.getParent());
        assertEquals(0, new ProcessBuilder("mkfifo", lock.toString()).start().waitFor());
        assertEquals(lock + ": expected a lock file, found a named pipe", refused(ID));
    }

    @Test
    void cacheMayBeElsewhere() throws Exception {
        Path cache = home.resolve("elsewhere");
        assertTrue(get(ID, "HF_HUB_CACHE", cache.toString()).startsWith(cache.resolve("models--owner--tiny")));
        Path xdg = home.resolve("xdg");
        Map<String, String> environment = hub.environment(home, "XDG_CACHE_HOME", xdg.toString(), "HF_HOME", "");
        assertTrue(get(environment, ID).startsWith(xdg.resolve("huggingface/hub")));
    }

    @Test
    void shardsAreThoseOfTheIndex() throws Exception {
        byte[] weights = hub.files.remove("model.safetensors");
        String first = "model-00001-of-00002.safetensors";
        String second = "model-00002-of-00002.safetensors";
        hub.files.put(first, Arrays.copyOf(weights, 500));
        hub.files.put(second, Arrays.copyOf(weights, 700));
        hub.files.put("model.safetensors.index.json", index(first, second, first));
        Path folder = get(ID);
        assertModel(folder);
        assertEquals(folder, get(ID, "HF_HUB_OFFLINE", "1"));
        Files.delete(folder.resolve(second));
        assertTrue(notThere(ID, "HF_HUB_OFFLINE", "1").startsWith("not all of its files are in "));
        hub.files.remove(second);
        assertTrue(refused(ID)
                .startsWith("owner/tiny: expected " + second + ", which model.safetensors.index.json names"));
    }

    @ParameterizedTest
    @ValueSource(strings = {"../../../x.safetensors", "/etc/x.safetensors", "config.json", ".safetensors", ""})
    void shardThatIsNoPlainNameIsRefused(String shard) {
        hub.files.remove("model.safetensors");
        hub.files.put("model.safetensors.index.json", index(shard));
        assertTrue(refused(ID).endsWith("expected plain names of safetensors files, found '" + shard + "'"));
    }

    private static byte[] index(String... shards) {
        StringBuilder json = new StringBuilder("{\"weight_map\": {");
        for (int i = 0; i < shards.length; i++) {
            json.append(i == 0 ? "" : ", ").append("\"t%d\": \"%s\"".formatted(i, shards[i]));
        }
        return json.append("}}").toString().getBytes(StandardCharsets.UTF_8);
    }

    @Test
    void malformedRefIsRefused() throws Exception {
        Files.writeString(Files.createDirectories(repository().resolve("refs")).resolve("main"), "../../..");
        assertTrue(refused(ID, "HF_HUB_OFFLINE", "1").contains("refs/main: commit: expected "));
    }

    @Test
    void checkEndsTheDownloadBeforeTheWeights() {
        Hub checked = new Hub(new HubEnvironment(hub.environment(home)), listener, SHORT);
        InputException e = assertThrows(
                InputException.class,
                () -> checked.model(ID, folder -> {
                    assertTrue(Files.exists(folder.resolve("config.json")));
                    throw new InputException("another kind of model");
                }));
        assertEquals("another kind of model", e.getMessage());
        assertEquals(List.of("config.json"), hub.downloads());
    }

    private static final String WAITING = "waiting for another download of model.safetensors";

    private static boolean isWeights(HttpExchange exchange) {
        return FakeHub.is(exchange, "GET", "model.safetensors");
    }

    /** Holds the weights back until another download waits for them, however late it starts. */
    private void holdWeightsUntil(BooleanSupplier anotherWaits) {
        hub.fault = exchange -> {
            if (isWeights(exchange)) {
                FakeHub.await(anotherWaits);
            }
            return false;
        };
    }

    @Test
    void threadsShareADownload() throws Exception {
        holdWeightsUntil(() -> heard.contains(WAITING));
        try (ExecutorService threads = Executors.newFixedThreadPool(4)) {
            List<Future<Path>> folders = threads.invokeAll(Collections.nCopies(4, (Callable<Path>) () -> get(ID)));
            for (Future<Path> folder : folders) {
                assertModel(folder.get());
            }
        }
        assertEquals(List.of("config.json", "model.safetensors", "tokenizer.json"), hub.downloads());
        assertTrue(heard.contains(WAITING));
    }

    /** Downloads in a process of its own; makes a file when it waits for another. */
    public static void main(String[] arguments) throws NotOnHubException {
        Map<String, String> environment = Map.of("HF_ENDPOINT", arguments[0], "HF_HOME", arguments[1]);
        DownloadListener listener = new DownloadListener() {
            @Override
            public void remark(String text) {
                if (text.equals(WAITING)) {
                    Path.of(arguments[2]).toFile().mkdir();
                }
            }
        };
        System.out.println(new Hub(new HubEnvironment(environment), listener).model(ID, _ -> {}));
    }

    @Test
    void processesShareADownload() throws Exception {
        Path waits = home.resolve("waits");
        holdWeightsUntil(() -> Files.exists(waits));
        ProcessBuilder builder = new ProcessBuilder(
                        Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                        "-XX:+UseSerialGC",
                        "-Xmx64m",
                        "-cp",
                        System.getProperty("java.class.path"),
                        HubTest.class.getName(),
                        hub.endpoint(),
                        home.toString(),
                        waits.toString())
                .redirectErrorStream(true);
        List<Process> processes = List.of(builder.start(), builder.start());
        for (Process process : processes) {
            String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
            process.waitFor(); // its output has ended
            assertEquals(
                    repository().resolve("snapshots").resolve(FakeHub.COMMIT).toString(), output.strip());
        }
        assertTrue(Files.exists(waits));
        assertEquals(List.of("config.json", "model.safetensors", "tokenizer.json"), hub.downloads());
    }

    @ParameterizedTest
    @ValueSource(
            strings = {"ftp://huggingface.co", "huggingface.co", "https://", "https://user:word@host", "http://a b"})
    void endpointMustBeAnAddress(String endpoint) {
        assertTrue(refused(ID, "HF_ENDPOINT", endpoint).startsWith("HF_ENDPOINT: expected an address such as "));
    }

    @Test
    void tokenIsNeverShown() {
        String message = refused(ID, "HF_TOKEN", "hf_sec\nret");
        assertTrue(message.startsWith("HF_TOKEN: expected an access token"), message);
        assertFalse(message.contains("ret"), message);
        assertFalse(
                new HubEnvironment(Map.of("HF_TOKEN", "hf_secret")).toString().contains("hf_secret"));
    }
}
