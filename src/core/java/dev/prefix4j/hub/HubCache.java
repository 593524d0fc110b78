package dev.prefix4j.hub;

import com.fasterxml.jackson.databind.JsonNode;
import dev.prefix4j.AtomicFile;
import dev.prefix4j.InputException;
import dev.prefix4j.JsonFile;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.List;
import java.util.Locale;
import java.util.Objects;
import java.util.Optional;
import java.util.SortedSet;
import java.util.TreeSet;
import java.util.stream.Stream;

/**
 * A repository in Hugging Face's cache, as every client of the hub lays it out:
 *
 * <pre>
 * models--owner--name/
 *     refs/main                  the commit that a revision last resolved to
 *     blobs/ETAG                 contents, each once
 *     snapshots/COMMIT/FILE      links to ../../blobs/ETAG: the same files as save_pretrained writes
 * .locks/models--owner--name/ETAG.lock
 * </pre>
 *
 * <p>Everything is either complete or absent: blobs are moved into place after they are checked, links are created when the blob
 * exists, the ref is written when the snapshot is complete. Partial downloads are {@code blobs/ETAG.incomplete}.
 */
final class HubCache {
    static final String CONFIG = "config.json";
    static final String ADAPTER_CONFIG = "adapter_config.json";
    static final String ADAPTER_WEIGHTS = "adapter_model.safetensors";

    /** Identifies an adapter's base; only prefix4j writes it. */
    static final String ADAPTER_BASE = "prefix4j.json";

    static final String GENERATION_CONFIG = "generation_config.json";
    static final String WEIGHTS = "model.safetensors";
    static final String INDEX = "model.safetensors.index.json";
    static final String TOKENIZER = "tokenizer.json";
    static final String VOCABULARY = "vocab.json";
    static final String MERGES = "merges.txt";

    /** Files that may change the ids of a text; all are optional. */
    static final List<String> TOKENIZER_PARTS =
            List.of("tokenizer_config.json", "special_tokens_map.json", "added_tokens.json");

    static final long MAX_INDEX_BYTES = 100_000_000;

    /** What is requested from a repository; one may have both. */
    enum Kind {
        MODEL(CONFIG),
        ADAPTER(ADAPTER_CONFIG);

        /** Small and downloaded first: shows that the repository has this kind. */
        final String config;

        Kind(String config) {
            this.config = config;
        }
    }

    private static final int MAX_REF_BYTES = 256;
    private static final int BUFFER_BYTES = 1 << 16;

    private final Path folder;
    private final Path locks;

    /**
     * @param hub folder of all models; need not exist
     * @param repository as in {@link HubId}
     */
    HubCache(Path hub, String repository) {
        String name = "models--" + repository.replace("/", "--");
        this.folder = hub.resolve(name);
        this.locks = hub.resolve(".locks").resolve(name);
    }

    Path snapshot(String commit) {
        return folder.resolve("snapshots").resolve(PlainName.require(commit, folder + ": commit"));
    }

    Path lock(String etag) {
        return locks.resolve(PlainName.require(etag, folder + ": etag") + ".lock");
    }

    private Path blob(String etag) {
        return folder.resolve("blobs").resolve(PlainName.require(etag, folder + ": etag"));
    }

    /** The folder of a file of the cache. */
    static Path folderOf(Path file) {
        return Objects.requireNonNull(file.getParent(), "a file in a folder");
    }

    /** Where a blob is being downloaded; its folder exists. */
    Path incomplete(String etag) {
        Path blob = blob(etag);
        AtomicFile.createFolder(folderOf(blob));
        return blob.resolveSibling(blob.getFileName() + ".incomplete");
    }

    /**
     * The commit that a revision resolves to, as far as the cache knows.
     *
     * @throws InputException if the ref is not a commit
     */
    Optional<String> commit(HubId id) {
        if (id.isCommit()) {
            return Optional.of(id.revision());
        }
        Path ref = ref(id.revision());
        if (!Files.isRegularFile(ref)) {
            return Optional.empty();
        }
        requireInside(ref);
        try (InputStream in = Files.newInputStream(ref)) {
            String text = new String(in.readNBytes(MAX_REF_BYTES), StandardCharsets.UTF_8).strip();
            return Optional.of(PlainName.require(text, ref + ": commit"));
        } catch (IOException e) {
            throw AtomicFile.cannotRead(ref, e);
        }
    }

    private Path ref(String revision) {
        return folder.resolve("refs").resolve(revision);
    }

    /** Stores the commit that a revision resolves to. */
    void writeRef(HubId id, String commit) {
        if (id.revision().equals(commit) || commit(id).equals(Optional.of(commit))) {
            return; // the cache may be read-only
        }
        Path ref = ref(id.revision());
        AtomicFile.createFolder(folderOf(ref));
        try (BlobLock _ = BlobLock.take(lock("refs"), () -> {})) {
            AtomicFile.write(ref, commit);
        }
    }

    /**
     * The folder of a model or an adapter, if all required files are there.
     *
     * @throws InputException if its index of shards is malformed
     */
    Optional<Path> complete(HubId id, Kind kind) {
        return commit(id).flatMap(commit -> complete(commit, kind));
    }

    /** @see #complete(HubId, Kind) */
    Optional<Path> complete(String commit, Kind kind) {
        Path snapshot = snapshot(commit);
        if (!Files.isDirectory(snapshot)) {
            return Optional.empty();
        }
        requireInside(snapshot);
        try (Stream<Path> files = Files.list(snapshot)) {
            files.filter(Files::exists).forEach(this::requireInside);
        } catch (IOException e) {
            throw AtomicFile.cannotRead(snapshot, e);
        }
        boolean whole = switch (kind) {
            case MODEL ->
                has(snapshot, CONFIG)
                        && (has(snapshot, TOKENIZER) || (has(snapshot, VOCABULARY) && has(snapshot, MERGES)))
                        && (has(snapshot, WEIGHTS) || hasShards(snapshot));
            case ADAPTER -> has(snapshot, ADAPTER_CONFIG) && has(snapshot, ADAPTER_WEIGHTS);
        };
        return whole ? Optional.of(snapshot) : Optional.empty();
    }

    /**
     * In a cache that others can write to, links may lead anywhere: a target is neither read nor quoted unless it
     * is in the model's folder or among its blobs, which may be linked to another disk.
     *
     * @throws InputException if a link leads elsewhere
     */
    private void requireInside(Path path) {
        try {
            Path real = path.toRealPath();
            Path blobs = folder.resolve("blobs");
            if (!real.startsWith(folder.toRealPath())
                    && !(Files.isDirectory(blobs) && real.startsWith(blobs.toRealPath()))) {
                throw new InputException("%s: expected a file in the cache, found a link that leaves %s; delete it"
                        .formatted(path, folder));
            }
        } catch (IOException e) {
            throw AtomicFile.cannotRead(path, e);
        }
    }

    private static boolean has(Path snapshot, String file) {
        return Files.isRegularFile(snapshot.resolve(file));
    }

    private static boolean hasShards(Path snapshot) {
        return has(snapshot, INDEX) && shards(snapshot.resolve(INDEX)).stream().allMatch(shard -> has(snapshot, shard));
    }

    /**
     * The files that an index lists.
     *
     * @throws InputException if it is malformed, or names anything but plain safetensors files
     */
    static SortedSet<String> shards(Path index) {
        JsonNode weightMap = JsonFile.readObject(index, "an index of shards", MAX_INDEX_BYTES)
                .path("weight_map");
        if (!weightMap.isObject() || weightMap.isEmpty()) {
            throw new InputException(
                    index + ": key 'weight_map': expected an object that names a file for each tensor");
        }
        SortedSet<String> shards = new TreeSet<>();
        for (JsonNode shard : weightMap) {
            String name = shard.asText("");
            if (!PlainName.matches(name) || !name.endsWith(".safetensors")) {
                throw new InputException("%s: key 'weight_map': expected plain names of safetensors files, found '%s'"
                        .formatted(index, PlainName.excerpt(name)));
            }
            shards.add(name);
        }
        return shards;
    }

    /** Whether a snapshot has a file, whichever client put it there. */
    boolean has(RemoteFile file) {
        Path path = snapshot(file.commit()).resolve(file.name());
        if (Files.exists(path)) {
            requireInside(path);
        }
        return isOfSize(path, file.size());
    }

    /** Whether the content of a file is there. */
    boolean hasBlob(RemoteFile file) {
        return isOfSize(blob(file.etag()), file.size());
    }

    private static boolean isOfSize(Path path, long size) {
        try {
            return Files.isRegularFile(path) && Files.size(path) == size;
        } catch (IOException e) {
            throw AtomicFile.cannotRead(path, e);
        }
    }

    /**
     * Turns a finished download into a blob.
     *
     * @throws InputException if the bytes do not match the hash; they are deleted
     */
    void accept(RemoteFile file) {
        Path incomplete = incomplete(file.etag());
        try {
            String expected = file.etag().toLowerCase(Locale.ROOT);
            String found = expected; // for a tag that is not a hash, the size must suffice
            if (expected.matches("[0-9a-f]{64}")) {
                found = hash(incomplete, "SHA-256", "");
            } else if (expected.matches("[0-9a-f]{40}")) {
                found = hash(incomplete, "SHA-1", "blob " + file.size() + "\0");
            }
            if (!found.equals(expected)) {
                Files.delete(incomplete);
                throw new InputException("%s: %s: expected content with hash %s, found %s; the download was deleted"
                        .formatted(file.id(), file.name(), expected, found));
            }
            Files.move(incomplete, blob(file.etag()), StandardCopyOption.ATOMIC_MOVE);
        } catch (IOException e) {
            throw AtomicFile.cannotWrite(blob(file.etag()), e);
        }
    }

    private static String hash(Path file, String algorithm, String before) throws IOException {
        try (InputStream in = Files.newInputStream(file)) {
            MessageDigest digest = MessageDigest.getInstance(algorithm);
            digest.update(before.getBytes(StandardCharsets.US_ASCII));
            byte[] buffer = new byte[BUFFER_BYTES];
            for (int n = in.read(buffer); n >= 0; n = in.read(buffer)) {
                digest.update(buffer, 0, n);
            }
            return HexFormat.of().formatHex(digest.digest());
        } catch (NoSuchAlgorithmException e) {
            throw new AssertionError(e);
        }
    }

    /** Puts a file whose blob exists into its snapshot: as a link, or as a copy where links are not supported. */
    void place(RemoteFile file) {
        Path blob = blob(file.etag());
        Path link = snapshot(file.commit()).resolve(file.name());
        AtomicFile.createFolder(folderOf(link));
        try {
            if (!has(file)) {
                Files.deleteIfExists(link); // a dangling one
            }
            Files.createSymbolicLink(link, folderOf(link).relativize(blob));
        } catch (FileAlreadyExistsException e) {
            // Another process was faster.
        } catch (UnsupportedOperationException | IOException e) {
            AtomicFile.write(link, out -> Files.copy(blob, out));
        }
    }
}
