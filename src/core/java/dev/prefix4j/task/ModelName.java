package dev.prefix4j.task;

import dev.prefix4j.InputException;
import dev.prefix4j.hub.HubId;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.Optional;

/** The name of a model: a folder, a bundled model, or one on the Hugging Face hub. */
public sealed interface ModelName {
    /** Prefix of the names of bundled models. */
    String BUILT_IN = "builtin:";

    /** @param path as given; whether it holds a model is checked when it is loaded */
    record Folder(Path path) implements ModelName {}

    /** @param name without {@link #BUILT_IN} */
    record BuiltIn(String name) implements ModelName {}

    record OnHub(HubId id) implements ModelName {}

    /**
     * Parses a name. What exists is a folder; what does not exist and cannot be a name on the hub is a missing folder.
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

    /** A name that is valid from any working directory: the absolute path of a folder; other names as they are. */
    static String anywhere(String name) {
        return switch (of(name)) {
            case Folder folder -> folder.path().toAbsolutePath().normalize().toString();
            case BuiltIn _, OnHub _ -> name;
        };
    }

    /** The name for PEFT's {@code base_model_name_or_path}: as {@link #anywhere}, without the revision. */
    static String base(String name) {
        return of(name) instanceof OnHub(HubId id) ? id.repository() : anywhere(name);
    }

    /** The revision of a model on the hub, if the name has one other than the main branch. */
    static Optional<String> revision(String name) {
        return of(name) instanceof OnHub(HubId id) && !id.revision().equals(HubId.MAIN)
                ? Optional.of(id.revision())
                : Optional.empty();
    }
}
