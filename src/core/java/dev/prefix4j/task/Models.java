package dev.prefix4j.task;

import dev.prefix4j.InputException;
import dev.prefix4j.hub.DownloadListener;
import dev.prefix4j.hub.Hub;
import dev.prefix4j.hub.HubEnvironment;
import dev.prefix4j.hub.HubId;
import dev.prefix4j.hub.NotOnHubException;
import dev.prefix4j.method.AdapterFolder;
import dev.prefix4j.model.Families;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;

/**
 * Finds models and adapters: in folders, on the Hugging Face hub and in its cache, and among the bundled ones.
 *
 * @param environment the hub's settings
 * @param downloads is told of the progress of downloads
 */
public record Models(HubEnvironment environment, DownloadListener downloads) {
    /** With the environment variables of the process, and silent downloads. */
    public static Models ofProcess() {
        return new Models(new HubEnvironment(System.getenv()), DownloadListener.NONE);
    }

    /**
     * Loads a model; one on the hub is downloaded unless it is in the cache.
     *
     * @param name a folder, {@code builtin:tiny}, or {@code owner/name[@revision]} on the hub
     * @param device {@code cpu}, {@code cuda} or {@code cuda:N}
     * @throws InputException if there is no such model, it cannot be downloaded, or its files do not match
     */
    public LanguageModel load(String name, String device) {
        return load(name, device, Engine.FP32);
    }

    /**
     * As {@link #load(String, String)}, for an engine.
     *
     * @param engine that will use the model: for 8 bits, its matrices keep the type that the file stores
     */
    public LanguageModel load(String name, String device, Engine engine) {
        return new LanguageModel(name, folder(name), device, engine.precision());
    }

    /**
     * The folder of a model; one on the hub is downloaded unless it is in the cache.
     *
     * @throws InputException if there is no such model, or it cannot be downloaded
     */
    public Path folder(String name) {
        return switch (ModelName.of(name)) {
            case ModelName.Folder(Path path) -> {
                if (Files.exists(path.resolve("adapter_config.json")) && !Files.exists(path.resolve("config.json"))) {
                    throw new InputException(path
                            + ": expected a model folder, found an adapter: pass it with --adapter, and"
                            + " its base with --model");
                }
                yield path;
            }
            case ModelName.BuiltIn model -> BuiltIns.model(model.name());
            case ModelName.OnHub model -> download(model.id());
        };
    }

    private Path download(HubId id) {
        try {
            return hub().model(id, Families::read); // refuses another kind of model before its weights are downloaded
        } catch (NotOnHubException e) {
            throw new InputException(
                    id + ": expected a model folder, found nothing; as a name on the hub: " + e.getMessage(), e);
        }
    }

    /**
     * The folder of an adapter; one on the hub is downloaded unless it is in the cache. What exists is a folder, and so is what
     * cannot be a name on the hub; whether it holds an adapter is checked when it is loaded.
     *
     * @param name a folder, or {@code owner/name[@revision]} on the hub
     * @throws InputException if the adapter cannot be downloaded
     */
    public Path adapterFolder(Path name) {
        if (Files.exists(name)) {
            return name;
        }
        Optional<HubId> id =
                HubId.parse(name.toString()).filter(some -> some.repository().contains("/"));
        return id.map(this::downloadAdapter).orElse(name);
    }

    private Path downloadAdapter(HubId id) {
        try {
            return hub().adapter(
                            id,
                            AdapterFolder::requireKnown); // refuses another library's before its weights are downloaded
        } catch (NotOnHubException e) {
            throw new InputException(
                    id + ": expected an adapter folder, found nothing; as a name on the hub: " + e.getMessage(), e);
        }
    }

    private Hub hub() {
        return new Hub(environment, downloads);
    }
}
