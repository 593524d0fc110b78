package dev.prefix4j.task;

import java.nio.file.Path;

/** Initial values of virtual tokens other than random ones (Li and Liang 2021, section 7.4). */
public sealed interface Initialization {
    /** Zeros. */
    record Zeros() implements Initialization {}

    /** What the model computes for words, which are repeated if they have fewer tokens than there are virtual tokens. */
    record Words(String words) implements Initialization {}

    /** What the model computes for the first document of a text file. */
    record Text(Path file) implements Initialization {}

    /**
     * The vectors of an adapter of the same method.
     *
     * @param folder of the adapter
     * @param name as given by the user
     */
    record Adapter(Path folder, Path name) implements Initialization {}

    /** Its name in {@code --init}. */
    default String kind() {
        return switch (this) {
            case Zeros _ -> "zero";
            case Words _ -> "words";
            case Text _ -> "text";
            case Adapter _ -> "adapter";
        };
    }
}
