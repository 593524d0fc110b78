package dev.prefix4j.hub;

import dev.prefix4j.AtomicFile;
import dev.prefix4j.InputException;
import java.io.IOException;
import java.io.InputStream;
import java.net.ConnectException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpHeaders;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandler;
import java.net.http.HttpResponse.BodyHandlers;
import java.net.http.HttpTimeoutException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.UnresolvedAddressException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.Locale;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Talks to the hub: {@code ENDPOINT/MODEL/resolve/REVISION/FILE} answers a HEAD with what a file is, a GET with its
 * content or with the address of the server that has it. The token goes to the endpoint and nowhere else.
 *
 * <p>What the network does is an {@link IOException}, after several tries; what the hub refuses an
 * {@link InputException}.
 */
final class HubClient implements AutoCloseable {
    private static final int MAX_REDIRECTS = 5;
    private static final int BUFFER_BYTES = 1 << 16;
    private static final Pattern CONTENT_RANGE = Pattern.compile("bytes (\\d{1,18})-\\d{1,18}/(\\d{1,18}|\\*)");

    /**
     * How long to wait for a network.
     *
     * @param tries of each request
     * @param pause before the second try; it doubles with each
     * @param silence after which a connection counts as lost
     */
    record Patience(int tries, Duration pause, Duration silence) {
        static final Patience USUAL = new Patience(3, Duration.ofMillis(500), Duration.ofSeconds(30));

        String seconds() {
            return silence.toMillis() / 1000.0 + " s";
        }
    }

    /** A request that may be made again. */
    @FunctionalInterface
    private interface Request<T> {
        T send() throws IOException, NotOnHubException;
    }

    private final URI endpoint;
    private final Optional<String> token;
    private final Patience patience;
    private final HttpClient http;

    HubClient(URI endpoint, Optional<String> token, Patience patience) {
        this.endpoint = endpoint;
        this.token = token;
        this.patience = patience;
        this.http = HttpClient.newBuilder()
                .version(HttpClient.Version.HTTP_1_1) // one large body at a time
                .followRedirects(HttpClient.Redirect.NEVER) // they decide who gets the token
                .connectTimeout(patience.silence())
                .build();
    }

    /** Host of the hub, with its port if it is not the usual one. */
    String host() {
        return endpoint.getAuthority();
    }

    /**
     * Asks what a file is.
     *
     * @param revision a branch, tag or commit
     * @return nothing if the model has no such file
     * @throws NotOnHubException if there is no such repository
     * @throws InputException if access is denied, there is no such revision, or the answer is unusable
     * @throws IOException if the hub cannot be reached or cannot answer
     */
    Optional<RemoteFile> find(HubId id, String revision, String file) throws IOException, NotOnHubException {
        return retrying(() -> findOnce(id, revision, file), DownloadListener.NONE);
    }

    private Optional<RemoteFile> findOnce(HubId id, String revision, String file)
            throws IOException, NotOnHubException {
        URI uri = uri(id, revision, file);
        String commit = null;
        for (int hop = 0; hop <= MAX_REDIRECTS; hop++) {
            HttpResponse<Void> reply = send(request(uri).HEAD().build(), BodyHandlers.discarding());
            commit = reply.headers().firstValue("X-Repo-Commit").orElse(commit);
            if (isRedirect(reply)) {
                URI next = target(uri, reply);
                if (isEndpoint(next)) { // of a model that was renamed, say
                    uri = next;
                    continue;
                }
            } else if (reply.statusCode() == 404 && !isMissing(reply.headers())) {
                return Optional.empty();
            } else if (reply.statusCode() != 200) {
                throw refusal(id, reply);
            }
            return Optional.of(describe(id, file, commit, reply));
        }
        throw new IOException("more than " + MAX_REDIRECTS + " redirects");
    }

    private RemoteFile describe(HubId id, String file, String commit, HttpResponse<?> reply) {
        String where = "%s: %s: %s of the answer of %s".formatted(id, file, "%s", host());
        HttpHeaders headers = reply.headers();
        String etag = headers.firstValue("X-Linked-Etag")
                .or(() -> headers.firstValue("ETag"))
                .orElse("none");
        String length = isRedirect(reply)
                ? "none"
                : headers.firstValue("Content-Length").orElse("none");
        String size = headers.firstValue("X-Linked-Size").orElse(length); // a redirect has a length of its own
        if (commit == null || etag.equals("none")) {
            throw new InputException("%s: %s: expected a commit and a tag in the answer of %s, found none: is it a hub?"
                    .formatted(id, file, host()));
        }
        if (!size.matches("\\d{1,18}")) {
            throw new InputException(
                    where.formatted("size") + ": expected a number of bytes, found '" + PlainName.excerpt(size) + "'");
        }
        return new RemoteFile(
                id,
                file,
                PlainName.require(commit, where.formatted("commit")),
                PlainName.require(etag.replaceFirst("^W/", "").replaceAll("^\"|\"$", ""), where.formatted("tag")),
                Long.parseLong(size));
    }

    /**
     * Downloads a file, or what is missing of it.
     *
     * @param incomplete what is there already; afterwards all of the file, unchecked
     * @throws InputException if the hub refuses, or the disk has no room
     * @throws IOException if the network failed; what has come stays
     */
    void download(RemoteFile file, Path incomplete, DownloadListener listener) throws IOException, NotOnHubException {
        try (FileChannel out = open(incomplete)) {
            if (out.size() > file.size()) {
                out.truncate(0);
            }
            long needed = file.size() - out.size();
            long free =
                    Files.getFileStore(incomplete.toAbsolutePath().getParent()).getUsableSpace();
            if (needed > free) {
                throw new InputException("%s: %s needs %,d bytes on the disk, found %,d free"
                        .formatted(incomplete, file.name(), needed, free));
            }
            listener.started(file.name(), out.size(), file.size());
            try {
                retrying(() -> downloadOnce(file, incomplete, out, listener), listener);
            } finally {
                listener.ended();
            }
            force(incomplete, out);
        }
    }

    private Void downloadOnce(RemoteFile file, Path incomplete, FileChannel out, DownloadListener listener)
            throws IOException, NotOnHubException {
        long from = out.size();
        if (from == file.size()) {
            return null;
        }
        HttpResponse<InputStream> reply = get(uri(file.id(), file.commit(), file.name()), from);
        try (InputStream body = reply.body()) {
            switch (reply.statusCode()) {
                case 200 -> out.truncate(0);
                case 206 -> {
                    Matcher range = CONTENT_RANGE.matcher(
                            reply.headers().firstValue("Content-Range").orElse(""));
                    if (!range.matches()
                            || Long.parseLong(range.group(1)) != from
                            || !range.group(2).equals("*") && Long.parseLong(range.group(2)) != file.size()) {
                        out.truncate(0);
                        throw new IOException("another part than bytes " + from + " and on arrived");
                    }
                }
                case 416 -> {
                    out.truncate(0);
                    throw new IOException("the server has no bytes " + from + " and on");
                }
                default -> throw refusal(file.id(), reply);
            }
            if (!reply.headers()
                    .firstValue("Content-Encoding")
                    .orElse("identity")
                    .equals("identity")) {
                throw new IOException("the bytes arrive in an encoding that was not asked for");
            }
            out.position(out.size());
            copy(body, out, file.size(), incomplete, listener);
        }
        if (out.size() != file.size()) {
            throw new IOException("%,d of %,d bytes arrived".formatted(out.size(), file.size()));
        }
        return null;
    }

    private void copy(InputStream body, FileChannel out, long size, Path file, DownloadListener listener)
            throws IOException {
        byte[] buffer = new byte[BUFFER_BYTES];
        try (SilenceGuard guard = new SilenceGuard(body, patience.silence())) {
            while (true) {
                int n;
                try {
                    n = body.read(buffer);
                } catch (IOException e) {
                    throw guard.hasActed() ? new HttpTimeoutException("nothing arrived for " + patience.seconds()) : e;
                }
                guard.heard();
                if (n < 0) {
                    return;
                }
                if (out.position() + n > size) {
                    out.truncate(0);
                    throw new IOException("more than %,d bytes arrived".formatted(size));
                }
                write(file, out, buffer, n);
                listener.received(out.position());
            }
        }
    }

    private static FileChannel open(Path file) {
        try {
            return FileChannel.open(file, StandardOpenOption.CREATE, StandardOpenOption.READ, StandardOpenOption.WRITE);
        } catch (IOException e) {
            throw AtomicFile.cannotWrite(file, e);
        }
    }

    /** A full disk is no failure of the network. */
    private static void write(Path file, FileChannel out, byte[] bytes, int length) {
        ByteBuffer buffer = ByteBuffer.wrap(bytes, 0, length);
        try {
            while (buffer.hasRemaining()) {
                out.write(buffer);
            }
        } catch (IOException e) {
            throw AtomicFile.cannotWrite(file, e);
        }
    }

    private static void force(Path file, FileChannel out) {
        try {
            out.force(true);
        } catch (IOException e) {
            throw AtomicFile.cannotWrite(file, e);
        }
    }

    /** Follows redirects to wherever the content is. */
    private HttpResponse<InputStream> get(URI start, long from) throws IOException {
        URI uri = start;
        for (int hop = 0; hop <= MAX_REDIRECTS; hop++) {
            HttpRequest.Builder request = request(uri).GET();
            if (from > 0) {
                request.header("Range", "bytes=" + from + "-");
            }
            HttpResponse<InputStream> reply = send(request.build(), BodyHandlers.ofInputStream());
            if (!isRedirect(reply)) {
                return reply;
            }
            reply.body().close();
            uri = target(uri, reply);
        }
        throw new IOException("more than " + MAX_REDIRECTS + " redirects");
    }

    private URI uri(HubId id, String revision, String file) {
        return URI.create(
                "%s/%s/resolve/%s/%s".formatted(endpoint, id.repository(), revision.replace("/", "%2F"), file));
    }

    private HttpRequest.Builder request(URI uri) {
        HttpRequest.Builder request =
                HttpRequest.newBuilder(uri).header("User-Agent", "prefix4j").header("Accept-Encoding", "identity");
        if (isEndpoint(uri)) {
            token.ifPresent(secret -> request.header("Authorization", "Bearer " + secret));
        }
        return request;
    }

    private boolean isEndpoint(URI uri) {
        return uri.getScheme().equalsIgnoreCase(endpoint.getScheme())
                && uri.getHost().equalsIgnoreCase(endpoint.getHost())
                && port(uri) == port(endpoint);
    }

    private static int port(URI uri) {
        return uri.getPort() >= 0 ? uri.getPort() : uri.getScheme().equalsIgnoreCase("https") ? 443 : 80;
    }

    private static boolean isRedirect(HttpResponse<?> reply) {
        return switch (reply.statusCode()) {
            case 301, 302, 303, 307, 308 -> true;
            default -> false;
        };
    }

    private URI target(URI from, HttpResponse<?> reply) throws IOException {
        String location = reply.headers().firstValue("Location").orElse("");
        URI target;
        try {
            target = from.resolve(location);
        } catch (IllegalArgumentException e) {
            throw new IOException("a redirect to '" + PlainName.excerpt(location) + "', which is no address", e);
        }
        String scheme = String.valueOf(target.getScheme()).toLowerCase(Locale.ROOT);
        boolean safe = scheme.equals("https")
                || scheme.equals("http") && from.getScheme().equalsIgnoreCase("http");
        if (location.isEmpty() || target.getHost() == null || !safe) {
            throw new InputException("%s: expected a redirect to an address as safe as its own, found '%s'"
                    .formatted(from.getAuthority(), PlainName.excerpt(location)));
        }
        return target;
    }

    private <T> HttpResponse<T> send(HttpRequest request, BodyHandler<T> handler) throws IOException {
        // The client's own time limit includes the body in some JDKs, and not in others.
        CompletableFuture<HttpResponse<T>> answer = http.sendAsync(request, handler);
        HttpResponse<T> reply;
        try {
            reply = answer.get(patience.silence().toMillis(), TimeUnit.MILLISECONDS);
        } catch (TimeoutException e) {
            answer.cancel(true);
            throw new HttpTimeoutException("no answer for " + patience.seconds());
        } catch (InterruptedException e) {
            answer.cancel(true);
            throw interrupted(e);
        } catch (ExecutionException e) {
            throw e.getCause() instanceof IOException failure ? failure : new IOException(e.getCause());
        }
        int status = reply.statusCode();
        if (status >= 500 || status == 429 || status == 408) {
            throw new IOException("HTTP " + status + " from " + request.uri().getAuthority());
        }
        return reply;
    }

    /** Whether a 404 is about more than a file. */
    private static boolean isMissing(HttpHeaders headers) {
        String code = code(headers);
        return code.equals("RepoNotFound") || code.equals("RevisionNotFound");
    }

    private static String code(HttpHeaders headers) {
        return headers.firstValue("X-Error-Code").orElse("");
    }

    /** The error for an answer that is none of the good ones. */
    private InputException refusal(HubId id, HttpResponse<?> reply) throws NotOnHubException {
        int status = reply.statusCode();
        String code = code(reply.headers());
        String host = reply.uri().getAuthority();
        // The hub does not tell strangers whether a private model exists.
        if (isEndpoint(reply.uri()) && (code.equals("RepoNotFound") || code.isEmpty() && status == 401)) {
            String other = token.isPresent() ? "HF_TOKEN does not open it" : "a private one, which needs HF_TOKEN";
            throw new NotOnHubException("%s has no such repository (HTTP %d), or %s".formatted(host, status, other));
        }
        if (code.equals("RevisionNotFound")) {
            return new InputException("%s: %s has no revision '%s' of this model".formatted(id, host, id.revision()));
        }
        if (code.equals("GatedRepo")) {
            return new InputException("%s: a gated model: ask for access at %s/%s, then set HF_TOKEN (HTTP %d)"
                    .formatted(id, endpoint, id.repository(), status));
        }
        if (status == 401 || status == 403) {
            String why = token.isPresent() ? "HF_TOKEN does not allow it" : "HF_TOKEN is not set";
            return new InputException("%s: %s denies access (HTTP %d): %s".formatted(id, host, status, why));
        }
        return new InputException("%s: expected a file from %s, found HTTP %d".formatted(id, host, status));
    }

    private <T> T retrying(Request<T> request, DownloadListener listener) throws IOException, NotOnHubException {
        for (int number = 1; ; number++) {
            try {
                return request.send();
            } catch (IOException e) {
                if (number == patience.tries()) {
                    throw e;
                }
                listener.remark("%s; try %d of %d".formatted(reason(e), number + 1, patience.tries()));
            }
            try {
                Thread.sleep(patience.pause().multipliedBy(1L << (number - 1)));
            } catch (InterruptedException e) {
                throw interrupted(e);
            }
        }
    }

    private static InputException interrupted(InterruptedException e) {
        Thread.currentThread().interrupt();
        return new InputException("the download was interrupted", e);
    }

    /** In words: many exceptions of the network have no message. */
    static String reason(IOException e) {
        for (Throwable t = e; t != null; t = t.getCause()) {
            if (t instanceof UnresolvedAddressException) {
                return "no address is known for this name";
            }
        }
        if (e instanceof ConnectException) {
            return "the connection was refused";
        }
        return e.getMessage() == null ? e.getClass().getSimpleName() : PlainName.excerpt(e.getMessage());
    }

    @Override
    public void close() {
        http.shutdownNow();
    }

    /** Closes a body on which nothing arrives any more, for a read has no time limit of its own. */
    private static final class SilenceGuard implements AutoCloseable {
        private final InputStream body;
        private final long limit;
        private final Thread thread;
        private volatile long last = System.nanoTime();
        private volatile boolean acted;

        SilenceGuard(InputStream body, Duration limit) {
            this.body = body;
            this.limit = limit.toNanos();
            this.thread = Thread.ofVirtual().name("silence-guard").start(this::watch);
        }

        private void watch() {
            try {
                for (long left = limit; left > 0; left = limit - (System.nanoTime() - last)) {
                    Thread.sleep(Duration.ofNanos(left));
                }
                acted = true;
                body.close();
            } catch (InterruptedException | IOException e) {
                // The body has ended, which is all that this was for.
            }
        }

        void heard() {
            last = System.nanoTime();
        }

        boolean hasActed() {
            return acted;
        }

        @Override
        public void close() {
            thread.interrupt();
        }
    }
}
