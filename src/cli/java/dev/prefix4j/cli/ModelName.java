package dev.prefix4j.cli;

import dev.prefix4j.InputException;
import dev.prefix4j.hub.Hub;
import dev.prefix4j.hub.HubEnvironment;
import dev.prefix4j.hub.HubId;
import dev.prefix4j.hub.NotOnHubException;
import dev.prefix4j.model.Families;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.Optional;

/** What {@code --model} names: a folder, a model that is built in, or one of the Hugging Face hub. */
sealed interface ModelName {
    /** Begins the name of a model that is built in. */
    String BUILT_IN = "builtin:";

    /** @param path as it was given; whether a model is there shows when it is loaded */
    record Folder(Path path) implements ModelName {}

    /** @param name without {@link #BUILT_IN} */
    record BuiltIn(String name) implements ModelName {}

    record OnHub(HubId id) implements ModelName {}

    /**
     * Tells which it is: what exists is a folder, and what cannot be the name of a model on the hub is one that is
     * missing.
     *
     * @throws InputException if the text is neither
     */
    static ModelName of(String name) {
        if (name.startsWith(BUILT_IN)) {
            return new BuiltIn(name.substring(BUILT_IN.length()));
        }
        Path path;
        try {
            path = Path.of(name);
        } catch (InvalidPathException e) {
            throw new InputException("model: expected a folder or the name of a model, found neither", e);
        }
        Optional<HubId> id = Files.exists(path) ? Optional.empty() : HubId.parse(name);
        return id.isPresent() ? new OnHub(id.get()) : new Folder(path);
    }

    /**
     * The folder of a model, which is downloaded if it is on the hub and not in the cache.
     *
     * @throws InputException if there is no such model, or it cannot be had
     */
    static Path resolve(String name, Console console) {
        return switch (of(name)) {
            case Folder(Path path) -> {
                if (Files.exists(path.resolve("adapter_config.json")) && !Files.exists(path.resolve("config.json"))) {
                    throw new InputException(path
                            + ": expected a model folder, found an adapter's: name it with --adapter, and its"
                            + " base with --model");
                }
                yield path;
            }
            case BuiltIn model -> BuiltIns.model(model.name());
            case OnHub model -> download(model.id(), console);
        };
    }

    private static Path download(HubId id, Console console) {
        Hub hub = new Hub(new HubEnvironment(console.environment()), new DownloadProgress(console));
        try {
            return hub.model(id, Families::read); // another kind of model ends before its weights come
        } catch (NotOnHubException e) {
            throw new InputException(
                    id + ": expected a model folder, found nothing; as a name on the hub: " + e.getMessage(), e);
        }
    }

    /** The name by which the model is found from anywhere: the absolute path of a folder; other names as they are. */
    static String anywhere(String name) {
        return switch (of(name)) {
            case Folder folder -> folder.path().toAbsolutePath().normalize().toString();
            case BuiltIn _, OnHub _ -> name;
        };
    }

    /** What PEFT calls the base model: as {@link #anywhere}, without the revision. */
    static String base(String name) {
        return of(name) instanceof OnHub(HubId id) ? id.repository() : anywhere(name);
    }

    /** The revision of a model on the hub, if the name says one. */
    static Optional<String> revision(String name) {
        return of(name) instanceof OnHub(HubId id) && !id.revision().equals(HubId.MAIN)
                ? Optional.of(id.revision())
                : Optional.empty();
    }
}
