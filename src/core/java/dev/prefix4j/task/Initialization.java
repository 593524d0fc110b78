package dev.prefix4j.task;

import java.nio.file.Path;

/** What virtual tokens start from, instead of random numbers (Li and Liang 2021, section 7.4). */
public sealed interface Initialization {
    /** Zeros. */
    record Zeros() implements Initialization {}

    /** What the model computes for words, again from their beginning where there are fewer than virtual tokens. */
    record Words(String words) implements Initialization {}

    /** What the model computes for the first document of a text file. */
    record Text(Path file) implements Initialization {}

    /**
     * The vectors of an adapter of the same method.
     *
     * @param folder where it is
     * @param name as the user knows it
     */
    record Adapter(Path folder, Path name) implements Initialization {}

    /** As {@code --init} names it. */
    default String kind() {
        return switch (this) {
            case Zeros _ -> "zero";
            case Words _ -> "words";
            case Text _ -> "text";
            case Adapter _ -> "adapter";
        };
    }
}
