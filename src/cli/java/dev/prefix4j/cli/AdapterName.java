package dev.prefix4j.cli;

import dev.prefix4j.InputException;
import dev.prefix4j.hub.Hub;
import dev.prefix4j.hub.HubEnvironment;
import dev.prefix4j.hub.HubId;
import dev.prefix4j.hub.NotOnHubException;
import dev.prefix4j.method.AdapterFolder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;

/** What {@code --adapter} names: a folder, or {@code owner/name[@revision]} on the Hugging Face hub. */
final class AdapterName {
    /** Of an option. */
    static final String DESCRIPTION =
            "An adapter of any method: a folder, or owner/name, owner/name@revision on the hub";

    private AdapterName() {}

    /**
     * The folder of an adapter, which is downloaded if it is on the hub and not in the cache. What exists is a folder, and so is
     * what cannot be a name on the hub: whether an adapter is in it shows when it is loaded.
     *
     * @param name null: none
     * @return null for none
     * @throws InputException if the adapter cannot be had
     */
    static Path resolve(Path name, Console console) {
        if (name == null || Files.exists(name)) {
            return name;
        }
        Optional<HubId> id =
                HubId.parse(name.toString()).filter(some -> some.repository().contains("/"));
        return id.isPresent() ? download(id.get(), console) : name;
    }

    private static Path download(HubId id, Console console) {
        Hub hub = new Hub(new HubEnvironment(console.environment()), new DownloadProgress(console));
        try {
            return hub.adapter(id, AdapterFolder::requireKnown); // another library's ends before its weights come
        } catch (NotOnHubException e) {
            throw new InputException(
                    id + ": expected an adapter folder, found nothing; as a name on the hub: " + e.getMessage(), e);
        }
    }
}
