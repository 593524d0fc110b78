package dev.prefix4j.frozen;

import java.util.BitSet;

/** Which pages of a pool are in use, by how many rows, and how many more are reserved. */
final class Pages {
    private final int[] users; // of each page
    private final BitSet taken = new BitSet();
    private int promised;

    Pages(int count) {
        this.users = new int[count];
    }

    /** Pages that are neither in use nor reserved. */
    int free() {
        return users.length - taken.cardinality() - promised;
    }

    /** Reserves so many more pages; below 0: fewer. */
    void promise(int count) {
        promised += count;
    }

    /** A page, with one user. */
    int take() {
        int page = taken.nextClearBit(0);
        taken.set(page);
        users[page] = 1;
        return page;
    }

    /** As {@link #take}, one of those that are reserved. */
    int takePromised() {
        promised--;
        return take();
    }

    /** Adds a user. */
    void share(int page) {
        users[page]++;
    }

    /** Takes a user away; a page without any is free. */
    void leave(int page) {
        if (--users[page] == 0) {
            taken.clear(page);
        }
    }
}
