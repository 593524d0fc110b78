package dev.prefix4j.hub;

import com.sun.net.httpserver.Headers;
import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.function.BooleanSupplier;
import java.util.function.UnaryOperator;

/**
 * A hub on this machine that has one model, {@value #MODEL}, and a second server on another port that has the contents
 * of its large files, as the hub's CDN has. Tests bend what they answer.
 */
public final class FakeHub implements AutoCloseable {
    public static final String MODEL = "owner/tiny";
    static final String COMMIT = "0123456789abcdef0123456789abcdef01234567";
    static final String NEXT_COMMIT = "89abcdef0123456789abcdef0123456789abcdef";

    /** Changes an answer, or gives one of its own and returns true. */
    @FunctionalInterface
    interface Fault {
        boolean answers(HttpExchange exchange) throws IOException;
    }

    record Request(String server, String method, String path, Optional<String> range, Optional<String> authorization) {}

    final Map<String, byte[]> files = new TreeMap<>();
    final Map<String, String> revisions = new ConcurrentHashMap<>(Map.of("main", COMMIT));
    final List<Request> requests = new CopyOnWriteArrayList<>();

    /** Comes before the hub's own answer, and before the CDN's. */
    volatile Fault fault = _ -> false;

    /** What the hub says is the tag of a file. */
    volatile UnaryOperator<String> etag = tag -> tag;

    private final HttpServer hub;
    private final HttpServer cdn;
    private final ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor();

    /** Starts a hub whose model has the files of a folder. */
    public FakeHub(Path model, String... names) throws IOException {
        for (String name : names) {
            files.put(name, Files.readAllBytes(model.resolve(name)));
        }
        hub = start("hub");
        cdn = start("cdn");
    }

    private HttpServer start(String name) throws IOException {
        HttpServer server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
        server.setExecutor(threads);
        server.createContext("/", exchange -> {
            try {
                answer(name, exchange);
            } catch (IOException e) {
                throw new UncheckedIOException(e); // the client has gone
            } finally {
                exchange.close();
            }
        });
        server.start();
        return server;
    }

    public String endpoint() {
        return address(hub);
    }

    String cdnAddress() {
        return address(cdn);
    }

    private static String address(HttpServer server) {
        return "http://127.0.0.1:" + server.getAddress().getPort();
    }

    private void answer(String server, HttpExchange exchange) throws IOException {
        String path = exchange.getRequestURI().getRawPath();
        Headers asked = exchange.getRequestHeaders();
        requests.add(new Request(
                server,
                exchange.getRequestMethod(),
                path,
                Optional.ofNullable(asked.getFirst("Range")),
                Optional.ofNullable(asked.getFirst("Authorization"))));
        if (fault.answers(exchange)) {
            return;
        }
        String[] parts = path.substring(1).split("/");
        if (server.equals("cdn")) {
            content(exchange, files.get(parts[0]));
            return;
        }
        if (parts.length != 5 || !(parts[0] + "/" + parts[1]).equals(MODEL) || !parts[2].equals("resolve")) {
            error(exchange, 404, "RepoNotFound");
            return;
        }
        String commit = revisions.containsValue(parts[3]) ? parts[3] : revisions.get(parts[3].replace("%2F", "/"));
        if (commit == null) {
            error(exchange, 404, "RevisionNotFound");
            return;
        }
        byte[] bytes = files.get(parts[4]);
        if (bytes == null) {
            error(exchange, 404, "EntryNotFound");
            return;
        }
        Headers headers = exchange.getResponseHeaders();
        headers.set("X-Repo-Commit", commit);
        if (parts[4].endsWith(".safetensors")) { // a large file: it is elsewhere
            headers.set("X-Linked-Etag", '"' + etag.apply(hash("SHA-256", new byte[0], bytes)) + '"');
            headers.set("X-Linked-Size", Integer.toString(bytes.length));
            headers.set("Location", cdnAddress() + "/" + parts[4] + "?signature=abc");
            exchange.sendResponseHeaders(302, -1);
            return;
        }
        byte[] before = ("blob " + bytes.length + "\0").getBytes(StandardCharsets.US_ASCII);
        headers.set("ETag", "W/\"" + etag.apply(hash("SHA-1", before, bytes)) + '"');
        content(exchange, bytes);
    }

    /** Answers with bytes, or with the part that was asked for. */
    static void content(HttpExchange exchange, byte[] bytes) throws IOException {
        String range = exchange.getRequestHeaders().getFirst("Range");
        int from = range == null ? 0 : Integer.parseInt(range.replaceAll("bytes=|-$", ""));
        Headers headers = exchange.getResponseHeaders();
        if (exchange.getRequestMethod().equals("HEAD")) {
            headers.set("Content-Length", Integer.toString(bytes.length));
            exchange.sendResponseHeaders(200, -1);
            return;
        }
        if (range != null) {
            headers.set("Content-Range", "bytes %d-%d/%d".formatted(from, bytes.length - 1, bytes.length));
        }
        exchange.sendResponseHeaders(range == null ? 200 : 206, bytes.length - from);
        try (OutputStream out = exchange.getResponseBody()) {
            out.write(bytes, from, bytes.length - from);
        }
    }

    /** Promises all of the bytes and hangs up when some of them have arrived in a file. */
    static void cutOff(HttpExchange exchange, byte[] bytes, int sent, Path arrived) throws IOException {
        exchange.sendResponseHeaders(200, bytes.length);
        exchange.getResponseBody().write(bytes, 0, sent);
        exchange.getResponseBody().flush();
        await(() -> arrived.toFile().length() == sent);
    }

    /** A minute ends the wait of a test that fails. */
    static void await(BooleanSupplier condition) {
        for (int i = 0; i < 6_000 && !condition.getAsBoolean(); i++) {
            pause(10);
        }
    }

    static void pause(int millis) {
        try {
            Thread.sleep(millis);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    static void error(HttpExchange exchange, int status, String code) throws IOException {
        if (code != null) {
            exchange.getResponseHeaders().set("X-Error-Code", code);
        }
        exchange.sendResponseHeaders(status, -1);
    }

    static String hash(String algorithm, byte[] before, byte[] bytes) {
        try {
            MessageDigest digest = MessageDigest.getInstance(algorithm);
            digest.update(before);
            return HexFormat.of().formatHex(digest.digest(bytes));
        } catch (NoSuchAlgorithmException e) {
            throw new AssertionError(e);
        }
    }

    static boolean is(HttpExchange exchange, String method, String file) {
        return exchange.getRequestMethod().equals(method)
                && exchange.getRequestURI().getPath().endsWith("/" + file);
    }

    /** Files that came as a whole or in part, with how often they were asked for. */
    List<String> downloads() {
        return requests.stream()
                .filter(request -> request.method().equals("GET"))
                .filter(request ->
                        request.server().equals("cdn") || !request.path().endsWith(".safetensors"))
                .map(request -> request.path().replaceAll(".*/", ""))
                .sorted()
                .toList();
    }

    List<String> paths(String method) {
        return requests.stream()
                .filter(request -> request.method().equals(method))
                .map(Request::path)
                .toList();
    }

    /** Variables that make this the hub, and a folder the cache. */
    public Map<String, String> environment(Path home, String... more) {
        Map<String, String> variables =
                new TreeMap<>(Map.of("HF_ENDPOINT", endpoint() + "/", "HF_HOME", home.toString()));
        for (int i = 0; i < more.length; i += 2) {
            variables.put(more[i], more[i + 1]);
        }
        return variables;
    }

    @Override
    public void close() {
        hub.stop(0);
        cdn.stop(0);
        threads.shutdownNow();
    }
}
