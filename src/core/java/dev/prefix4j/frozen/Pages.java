package dev.prefix4j.frozen;

import java.util.BitSet;

/** Which pages of a pool are in use, by how many users, and how many more are reserved. */
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

    /** Reserves this many more pages; negative: fewer. */
    void promise(int count) {
        promised += count;
    }

    /** Takes a free page, which then has one user. */
    int take() {
        int page = taken.nextClearBit(0);
        taken.set(page);
        users[page] = 1;
        return page;
    }

    /** As {@link #take}, but a reserved page. */
    int takePromised() {
        promised--;
        return take();
    }

    /** Adds a user. */
    void share(int page) {
        users[page]++;
    }

    /** Removes a user; a page without users is free. */
    void leave(int page) {
        if (--users[page] == 0) {
            taken.clear(page);
        }
    }
}
