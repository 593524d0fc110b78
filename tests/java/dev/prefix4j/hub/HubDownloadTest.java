package dev.prefix4j.hub;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.sun.net.httpserver.HttpExchange;
import dev.prefix4j.InputException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.BooleanSupplier;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Downloads that break, and downloads of one file by several. */
class HubDownloadTest extends HubFixture {
    private static final String WAITING = "waiting for another download of model.safetensors";

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
    void nextDownloadContinuesABrokenOne() throws Exception {
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
        // One of three tries is enough: under load, an answer may be late before its body is silent.
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

    /** Downloads in a separate process; makes a file when it waits for another. */
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
                        HubDownloadTest.class.getName(),
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
}
