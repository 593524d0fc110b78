package dev.prefix4j.frozen;

import dev.prefix4j.InputException;

/**
 * A run as a row sees it. It takes one position for each of its tokens, before the row's own tokens from {@code from} on.
 *
 * @param from the first of the row's own tokens that sees it; 0: all
 * @param firstLayer first layer that sees it, from 0
 * @param lastLayer last layer that sees it
 */
public record Seen(Run run, int from, int firstLayer, int lastLayer) {
    /** @throws InputException if there are no such layers */
    public Seen {
        requireLayers(firstLayer, lastLayer, run.layout().layers());
    }

    /** A run that every token sees, in all layers. */
    public static Seen always(Run run) {
        return new Seen(run, 0, 0, run.layout().layers() - 1);
    }

    static void requireLayers(int first, int last, long layers) {
        if (first < 0 || last < first || last >= layers) {
            throw new InputException(
                    "layers: expected a range within 0 to %d, found %d to %d".formatted(layers - 1, first, last));
        }
    }
}
