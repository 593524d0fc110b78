package dev.prefix4j.hub;

import dev.prefix4j.InputException;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpHeaders;
import java.net.http.HttpResponse;
import java.nio.file.Path;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * Talks to the hub: {@code ENDPOINT/MODEL/resolve/REVISION/FILE} answers a HEAD with what a file is, a GET with its
 * content or with the address of the server that has it.
 *
 * <p>What the network does is an {@link IOException}, after several tries; what the hub refuses an
 * {@link InputException}.
 */
final class HubClient implements AutoCloseable {
    private final HubTransport transport;

    HubClient(URI endpoint, Optional<String> token, Patience patience) {
        this.transport = new HubTransport(endpoint, token, patience);
    }

    /** Host of the hub, with its port if it is not the usual one. */
    String host() {
        return transport.host();
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
        return transport.retrying(() -> findOnce(id, revision, file), DownloadListener.NONE);
    }

    private Optional<RemoteFile> findOnce(HubId id, String revision, String file)
            throws IOException, NotOnHubException {
        URI uri = transport.uri(id, revision, file);
        String commit = null;
        for (int hop = 0; hop <= HubTransport.MAX_REDIRECTS; hop++) {
            HttpResponse<Void> reply = transport.head(uri);
            commit = reply.headers().firstValue("X-Repo-Commit").orElse(commit);
            if (HubTransport.isRedirect(reply)) {
                URI next = transport.target(uri, reply);
                if (transport.isEndpoint(next)) { // of a model that was renamed, say
                    uri = next;
                    continue;
                }
            } else if (reply.statusCode() == 404 && !HubTransport.isMissing(reply.headers())) {
                return Optional.empty();
            } else if (reply.statusCode() != 200) {
                throw transport.refusal(id, reply);
            }
            return Optional.of(describe(id, file, commit, reply));
        }
        throw new IOException("more than " + HubTransport.MAX_REDIRECTS + " redirects");
    }

    private RemoteFile describe(HubId id, String file, @Nullable String commit, HttpResponse<?> reply) {
        String where = "%s: %s: %s of the answer of %s".formatted(id, file, "%s", host());
        HttpHeaders headers = reply.headers();
        String etag = headers.firstValue("X-Linked-Etag")
                .or(() -> headers.firstValue("ETag"))
                .orElse("none");
        String length = HubTransport.isRedirect(reply)
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
        new FileDownload(transport, file, incomplete, listener).run();
    }

    @Override
    public void close() {
        transport.close();
    }
}
