package dev.prefix4j.hub;

import dev.prefix4j.InputException;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Optional;
import java.util.function.Consumer;

/**
 * Provides models and adapters of the Hugging Face hub as folders. Each is downloaded once; afterwards the hub is only queried to
 * resolve the revision, and not even that for a commit.
 */
public final class Hub {
    private static final long MAX_CONFIG_BYTES = 4 << 20;
    private static final long MAX_TOKENIZER_BYTES = 256L << 20;
    private static final long MAX_TOKENIZER_PART_BYTES = 16 << 20;

    private final HubEnvironment environment;
    private final DownloadListener listener;
    private final Patience patience;

    public Hub(HubEnvironment environment, DownloadListener listener) {
        this(environment, listener, Patience.USUAL);
    }

    Hub(HubEnvironment environment, DownloadListener listener, Patience patience) {
        this.environment = environment;
        this.listener = listener;
        this.patience = patience;
    }

    /**
     * The folder of a model, with {@code config.json}; {@code model.safetensors}, or its index and its shards;
     * {@code tokenizer.json}, or {@code vocab.json} and {@code merges.txt}; {@code generation_config.json},
     * {@code tokenizer_config.json}, {@code special_tokens_map.json} and {@code added_tokens.json} where the model has them. Without a network, or with {@code HF_HUB_OFFLINE}, it is the revision's cached copy.
     *
     * @param check receives the folder as soon as {@code config.json} is in it; an exception from it ends the download
     * @throws NotOnHubException if there is no such model, or neither the hub nor the cache can provide it
     * @throws InputException if the hub refuses access, or the files are not a model or not the expected ones
     */
    public Path model(HubId id, Consumer<Path> check) throws NotOnHubException {
        return get(id, HubCache.Kind.MODEL, check);
    }

    /**
     * The folder of an adapter, with {@code adapter_config.json}, {@code adapter_model.safetensors}, and
     * {@code prefix4j.json} where there is one.
     *
     * @param check as for {@link #model}, with {@code adapter_config.json}
     * @throws NotOnHubException if there is no such adapter, or neither the hub nor the cache can provide it
     * @throws InputException if the hub refuses access, or the files are not an adapter or not the expected ones
     */
    public Path adapter(HubId id, Consumer<Path> check) throws NotOnHubException {
        return get(id, HubCache.Kind.ADAPTER, check);
    }

    private Path get(HubId id, HubCache.Kind kind, Consumer<Path> check) throws NotOnHubException {
        HubCache cache = new HubCache(environment.cache(), id.repository());
        boolean offline = environment.isOffline();
        if (offline || id.isCommit()) {
            Optional<Path> cached = cache.complete(id, kind);
            if (cached.isPresent()) {
                return cached.get();
            }
        }
        if (offline) {
            throw new NotOnHubException(
                    "not all of its files are in " + environment.cache() + ", and HF_HUB_OFFLINE is set");
        }
        try (HubClient client = new HubClient(environment.endpoint(), environment.token(), patience)) {
            Download download = new Download(id, kind, cache, client);
            try {
                return download.run(check);
            } catch (IOException e) {
                return fallBack(download, e);
            }
        }
    }

    private Path fallBack(Download download, IOException e) throws NotOnHubException {
        String reason = HubTransport.reason(e);
        String host = download.client.host();
        Optional<Path> cached = download.cache.complete(download.id, download.kind);
        if (cached.isPresent()) {
            listener.remark(
                    "%s: %s cannot be reached (%s); using the copy in the cache".formatted(download.id, host, reason));
            return cached.get();
        }
        if (download.found) {
            throw new InputException(
                    "%s: the download from %s was interrupted: %s (the next one resumes there)"
                            .formatted(download.id, host, reason),
                    e);
        }
        throw new NotOnHubException(host + " cannot be reached: " + reason, e);
    }

    /** The download of one folder. */
    private final class Download {
        private final HubId id;
        private final HubCache.Kind kind;
        private final HubCache cache;
        private final HubClient client;

        /** Whether the hub has it. */
        private boolean found;

        Download(HubId id, HubCache.Kind kind, HubCache cache, HubClient client) {
            this.id = id;
            this.kind = kind;
            this.cache = cache;
            this.client = client;
        }

        Path run(Consumer<Path> check) throws IOException, NotOnHubException {
            RemoteFile config = client.find(id, id.revision(), kind.config)
                    .orElseThrow(() -> new NotOnHubException(
                            "%s has no %s at its revision %s".formatted(client.host(), kind.config, id.revision())));
            found = true;
            String commit = config.commit();
            if (id.isCommit() && !commit.equals(id.revision())) {
                throw new InputException("%s: expected files of that commit, found those of %s".formatted(id, commit));
            }
            Path folder = cache.snapshot(commit);
            if (cache.complete(commit, kind).isEmpty()) {
                // Everything else is requested by commit, since the revision may change meanwhile. The largest file
                // comes last.
                fetch(config, MAX_CONFIG_BYTES);
                check.accept(folder);
                switch (kind) {
                    case MODEL -> {
                        fetch(commit, HubCache.GENERATION_CONFIG, MAX_CONFIG_BYTES);
                        fetchTokenizer(commit);
                        fetchWeights(commit, folder);
                    }
                    case ADAPTER -> {
                        fetch(commit, HubCache.ADAPTER_BASE, MAX_CONFIG_BYTES);
                        fetchAdapter(commit);
                    }
                }
            }
            cache.writeRef(id, commit);
            return folder;
        }

        private void fetchAdapter(String commit) throws IOException, NotOnHubException {
            if (!fetch(commit, HubCache.ADAPTER_WEIGHTS, Long.MAX_VALUE)) {
                throw new InputException(
                        "%s: expected %s, found none at %s: save the adapter again with PEFT's save_pretrained"
                                .formatted(id, HubCache.ADAPTER_WEIGHTS, client.host()));
            }
        }

        private void fetchTokenizer(String commit) throws IOException, NotOnHubException {
            if (!fetch(commit, HubCache.TOKENIZER, MAX_TOKENIZER_BYTES)
                    && !(fetch(commit, HubCache.VOCABULARY, MAX_TOKENIZER_BYTES)
                            && fetch(commit, HubCache.MERGES, MAX_TOKENIZER_BYTES))) {
                throw new InputException(
                        "%s: expected tokenizer.json, or vocab.json and merges.txt, found neither at %s"
                                .formatted(id, client.host()));
            }
            for (String part : HubCache.TOKENIZER_PARTS) {
                fetch(commit, part, MAX_TOKENIZER_PART_BYTES);
            }
        }

        private void fetchWeights(String commit, Path folder) throws IOException, NotOnHubException {
            if (fetch(commit, HubCache.WEIGHTS, Long.MAX_VALUE)) {
                return;
            }
            if (!fetch(commit, HubCache.INDEX, HubCache.MAX_INDEX_BYTES)) {
                throw new InputException("%s: expected model.safetensors, found none at %s: save the model again with"
                                .formatted(id, client.host())
                        + " Transformers' save_pretrained, or name a revision that has it");
            }
            for (String shard : HubCache.shards(folder.resolve(HubCache.INDEX))) {
                if (!fetch(commit, shard, Long.MAX_VALUE)) {
                    throw new InputException("%s: expected %s, which %s names, found none at %s"
                            .formatted(id, shard, HubCache.INDEX, client.host()));
                }
            }
        }

        /** @return whether the repository has this file */
        private boolean fetch(String commit, String file, long maxBytes) throws IOException, NotOnHubException {
            Optional<RemoteFile> remote = client.find(id, commit, file);
            if (remote.isEmpty()) {
                return false;
            }
            if (!remote.get().commit().equals(commit)) {
                throw new InputException("%s: %s: expected the file of commit %s, found %s"
                        .formatted(id, file, commit, remote.get().commit()));
            }
            fetch(remote.get(), maxBytes);
            return true;
        }

        private void fetch(RemoteFile file, long maxBytes) throws IOException, NotOnHubException {
            if (file.size() > maxBytes) {
                throw new InputException("%s: %s: expected at most %,d bytes, found %,d"
                        .formatted(id, file.name(), maxBytes, file.size()));
            }
            if (cache.has(file)) {
                return;
            }
            try (BlobLock _ = BlobLock.take(
                    cache.lock(file.etag()), () -> listener.remark("waiting for another download of " + file.name()))) {
                if (!cache.hasBlob(file)) {
                    client.download(file, cache.incomplete(file.etag()), listener);
                    cache.accept(file);
                }
                cache.place(file);
            }
        }
    }
}
