package dev.prefix4j.text;

import dev.prefix4j.InputException;
import java.util.List;

/**
 * How much of the Java heap the rows of a file may take: a file with too many rows, or a small one that unpacks to too many, gives a
 * clear one-line error and not an OutOfMemoryError after minutes of garbage collection.
 */
final class HeapBudget {
    /** Bytes of an example: its record, lists and location. */
    private static final int BYTES_OF_ROW = 200;

    /** Bytes of a string, besides its characters. */
    private static final int BYTES_OF_TEXT = 56;

    /** The steps after reading need memory too. */
    private static final double SHARE = 0.6;

    private final long heap;
    private long left;

    HeapBudget() {
        this(Runtime.getRuntime().maxMemory());
    }

    /** @param heap largest heap of the JVM, in bytes */
    HeapBudget(long heap) {
        this.heap = heap;
        this.left = (long) (SHARE * heap);
    }

    /**
     * Reserves the memory of a row.
     *
     * @throws InputException naming the row, if there is not enough left
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

    /** @return the example, after reserving its memory */
    Example take(Example example) {
        take(example.location(), example.source(), example.targets());
        return example;
    }
}
