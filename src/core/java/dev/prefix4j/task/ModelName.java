package dev.prefix4j.task;

import dev.prefix4j.InputException;
import dev.prefix4j.hub.HubId;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.Optional;

/** The name of a model: a folder, one that is built in, or one of the Hugging Face hub. */
public sealed interface ModelName {
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
