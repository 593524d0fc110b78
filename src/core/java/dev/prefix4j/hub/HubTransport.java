package dev.prefix4j.hub;

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
import java.nio.channels.UnresolvedAddressException;
import java.util.Locale;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/**
 * Requests to the hub and to the servers that it names: redirects, tries, and what an answer that is no good one means. The token goes
 * to the endpoint and nowhere else.
 *
 * <p>What the network does is an {@link IOException}, what the hub refuses an {@link InputException}.
 */
final class HubTransport implements AutoCloseable {
    /** Of one request. */
    static final int MAX_REDIRECTS = 5;

    /** A request that may be made again. */
    @FunctionalInterface
    interface Request<T> {
        T send() throws IOException, NotOnHubException;
    }

    private final URI endpoint;
    private final Optional<String> token;
    private final Patience patience;
    private final HttpClient http;

    HubTransport(URI endpoint, Optional<String> token, Patience patience) {
        this.endpoint = endpoint;
        this.token = token;
        this.patience = patience;
        this.http = HttpClient.newBuilder()
                .version(HttpClient.Version.HTTP_1_1) // one large body at a time
                .followRedirects(HttpClient.Redirect.NEVER) // they decide who gets the token
                .connectTimeout(patience.silence())
                .build();
    }

    /** How long it waits. */
    Patience patience() {
        return patience;
    }

    /** Host of the hub, with its port if it is not the usual one. */
    String host() {
        return endpoint.getAuthority();
    }

    /** Address of a file of a revision. */
    URI uri(HubId id, String revision, String file) {
        return URI.create(
                "%s/%s/resolve/%s/%s".formatted(endpoint, id.repository(), revision.replace("/", "%2F"), file));
    }

    /** The answer to a HEAD, whatever it is. */
    HttpResponse<Void> head(URI uri) throws IOException {
        return send(request(uri).HEAD().build(), BodyHandlers.discarding());
    }

    /** Follows redirects to wherever the content is. */
    HttpResponse<InputStream> get(URI start, long from) throws IOException {
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

    private HttpRequest.Builder request(URI uri) {
        HttpRequest.Builder request =
                HttpRequest.newBuilder(uri).header("User-Agent", "prefix4j").header("Accept-Encoding", "identity");
        if (isEndpoint(uri)) {
            token.ifPresent(secret -> request.header("Authorization", "Bearer " + secret));
        }
        return request;
    }

    /** Whether an address is the hub's own. */
    boolean isEndpoint(URI uri) {
        return uri.getScheme().equalsIgnoreCase(endpoint.getScheme())
                && uri.getHost().equalsIgnoreCase(endpoint.getHost())
                && port(uri) == port(endpoint);
    }

    private static int port(URI uri) {
        return uri.getPort() >= 0 ? uri.getPort() : uri.getScheme().equalsIgnoreCase("https") ? 443 : 80;
    }

    static boolean isRedirect(HttpResponse<?> reply) {
        return switch (reply.statusCode()) {
            case 301, 302, 303, 307, 308 -> true;
            default -> false;
        };
    }

    /** Where a redirect leads. */
    URI target(URI from, HttpResponse<?> reply) throws IOException {
        String location = reply.headers().firstValue("Location").orElse("");
        URI target;
        try {
            target = from.resolve(location);
        } catch (IllegalArgumentException e) {
            throw new IOException("a redirect to '" + PlainName.excerpt(location) + "', which is no address", e);
        }
        String scheme = String.valueOf(target.getScheme()).toLowerCase(Locale.ROOT);
        boolean safe = scheme.equals("https")
                || (scheme.equals("http") && from.getScheme().equalsIgnoreCase("http"));
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
    static boolean isMissing(HttpHeaders headers) {
        String code = code(headers);
        return code.equals("RepoNotFound") || code.equals("RevisionNotFound");
    }

    private static String code(HttpHeaders headers) {
        return headers.firstValue("X-Error-Code").orElse("");
    }

    /** The error for an answer that is none of the good ones. */
    InputException refusal(HubId id, HttpResponse<?> reply) throws NotOnHubException {
        int status = reply.statusCode();
        String code = code(reply.headers());
        String host = reply.uri().getAuthority();
        // The hub does not tell strangers whether a private model exists.
        if (isEndpoint(reply.uri()) && (code.equals("RepoNotFound") || (code.isEmpty() && status == 401))) {
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

    /** Makes a request until it is answered, as often as patience lasts. */
    <T> T retrying(Request<T> request, DownloadListener listener) throws IOException, NotOnHubException {
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
}
