package dev.prefix4j.method;

import java.util.Map;
import java.util.Objects;

/** What is held by name, where the name has been checked before. */
final class Named {
    private Named() {}

    /** The value of a name that is there. */
    static <T> T get(Map<String, T> all, String name) {
        return Objects.requireNonNull(all.get(name), name);
    }
}
