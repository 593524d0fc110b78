package dev.prefix4j.text;

import dev.prefix4j.InputException;
import java.util.List;

/**
 * How much of the Java heap the rows of a file may take: a file of many good rows, or a small one that unpacks to them, ends in a
 * line that says so and not in an OutOfMemoryError after minutes of collecting.
 */
final class HeapBudget {
    /** Of an example: its record, lists and where it comes from. */
    private static final int BYTES_OF_ROW = 200;

    /** Of a string, beside its characters. */
    private static final int BYTES_OF_TEXT = 56;

    /** What comes after reading needs room too. */
    private static final double SHARE = 0.6;

    private final long heap;
    private long left;

    HeapBudget() {
        this(Runtime.getRuntime().maxMemory());
    }

    /** @param heap bytes that the JVM may take */
    HeapBudget(long heap) {
        this.heap = heap;
        this.left = (long) (SHARE * heap);
    }

    /**
     * Takes the room of a row.
     *
     * @throws InputException naming it, if there is none left
     */
    void take(String location, String source, List<String> targets) {
        left -= BYTES_OF_ROW + BYTES_OF_TEXT + source.length();
        for (String target : targets) {
            left -= BYTES_OF_TEXT + target.length();
        }
        if (left < 0) {
            throw new InputException(
                    "%s: expected rows that fit into the Java heap of %,d MB, found more: read fewer (--limit), or give"
                                    .formatted(location, heap >> 20)
                            + " Java more, such as -Xmx4g (PREFIX4J_JAVA_OPTS)");
        }
    }

    /** @return the example, whose room is taken */
    Example take(Example example) {
        take(example.location(), example.source(), example.targets());
        return example;
    }
}
