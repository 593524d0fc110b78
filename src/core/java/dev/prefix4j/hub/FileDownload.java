package dev.prefix4j.hub;

import dev.prefix4j.AtomicFile;
import dev.prefix4j.InputException;
import java.io.IOException;
import java.io.InputStream;
import java.net.http.HttpResponse;
import java.net.http.HttpTimeoutException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** A file on its way to the disk, or what is missing of it. */
final class FileDownload {
    private static final int BUFFER_BYTES = 1 << 16;
    private static final Pattern CONTENT_RANGE = Pattern.compile("bytes (\\d{1,18})-\\d{1,18}/(\\d{1,18}|\\*)");

    private final HubTransport transport;
    private final RemoteFile file;
    private final Path incomplete;
    private final DownloadListener listener;

    /** @param incomplete what is there already; it grows */
    FileDownload(HubTransport transport, RemoteFile file, Path incomplete, DownloadListener listener) {
        this.transport = transport;
        this.file = file;
        this.incomplete = incomplete;
        this.listener = listener;
    }

    /** @see HubClient#download */
    void run() throws IOException, NotOnHubException {
        try (FileChannel out = open()) {
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
                transport.retrying(() -> once(out), listener);
            } finally {
                listener.ended();
            }
            force(out);
        }
    }

    private Void once(FileChannel out) throws IOException, NotOnHubException {
        long from = out.size();
        if (from == file.size()) {
            return null;
        }
        HttpResponse<InputStream> reply = transport.get(transport.uri(file.id(), file.commit(), file.name()), from);
        try (InputStream body = reply.body()) {
            switch (reply.statusCode()) {
                case 200 -> out.truncate(0);
                case 206 -> {
                    Matcher range = CONTENT_RANGE.matcher(
                            reply.headers().firstValue("Content-Range").orElse(""));
                    if (!range.matches()
                            || Long.parseLong(range.group(1)) != from
                            || (!range.group(2).equals("*") && Long.parseLong(range.group(2)) != file.size())) {
                        out.truncate(0);
                        throw new IOException("another part than bytes " + from + " and on arrived");
                    }
                }
                case 416 -> {
                    out.truncate(0);
                    throw new IOException("the server has no bytes " + from + " and on");
                }
                default -> throw transport.refusal(file.id(), reply);
            }
            if (!reply.headers()
                    .firstValue("Content-Encoding")
                    .orElse("identity")
                    .equals("identity")) {
                throw new IOException("the bytes arrive in an encoding that was not asked for");
            }
            out.position(out.size());
            copy(body, out);
        }
        if (out.size() != file.size()) {
            throw new IOException("%,d of %,d bytes arrived".formatted(out.size(), file.size()));
        }
        return null;
    }

    private void copy(InputStream body, FileChannel out) throws IOException {
        byte[] buffer = new byte[BUFFER_BYTES];
        try (SilenceGuard guard = new SilenceGuard(body, transport.patience().silence())) {
            while (true) {
                int n;
                try {
                    n = body.read(buffer);
                } catch (IOException e) {
                    throw guard.hasActed()
                            ? new HttpTimeoutException("nothing arrived for "
                                    + transport.patience().seconds())
                            : e;
                }
                guard.heard();
                if (n < 0) {
                    return;
                }
                if (out.position() + n > file.size()) {
                    out.truncate(0);
                    throw new IOException("more than %,d bytes arrived".formatted(file.size()));
                }
                write(out, buffer, n);
                listener.received(out.position());
            }
        }
    }

    private FileChannel open() {
        try {
            return FileChannel.open(
                    incomplete, StandardOpenOption.CREATE, StandardOpenOption.READ, StandardOpenOption.WRITE);
        } catch (IOException e) {
            throw AtomicFile.cannotWrite(incomplete, e);
        }
    }

    /** A full disk is no failure of the network. */
    private void write(FileChannel out, byte[] bytes, int length) {
        ByteBuffer buffer = ByteBuffer.wrap(bytes, 0, length);
        try {
            while (buffer.hasRemaining()) {
                out.write(buffer);
            }
        } catch (IOException e) {
            throw AtomicFile.cannotWrite(incomplete, e);
        }
    }

    private void force(FileChannel out) {
        try {
            out.force(true);
        } catch (IOException e) {
            throw AtomicFile.cannotWrite(incomplete, e);
        }
    }
}
