package dev.prefix4j;

import java.util.Map;
import java.util.Objects;

/** Access to values by a name that is known to be there. */
public final class Named {
    private Named() {}

    /**
     * The value of a name.
     *
     * @throws NullPointerException with the name, if it is absent
     */
    public static <T> T get(Map<String, T> all, String name) {
        return Objects.requireNonNull(all.get(name), name);
    }
}
