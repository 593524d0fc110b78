package dev.prefix4j.text;

import dev.prefix4j.InputException;
import java.io.FilterInputStream;
import java.io.IOException;
import java.io.InputStream;

/**
 * Limits how much is read: a few bytes of gzip can expand to gigabytes, and one XML attribute or JSON list can
 * be as long as the file. It counts the bytes since {@link #restart}; it does not support marks.
 */
final class BoundedStream extends FilterInputStream {
    private final String what;
    private final long max;
    private String location;
    private long count;

    /**
     * @param what what is bounded, for the message: "an entry"
     * @param max its largest number of bytes
     * @param location of the first one, for the message
     */
    BoundedStream(InputStream in, String what, long max, String location) {
        super(in);
        this.what = what;
        this.max = max;
        this.location = location;
    }

    /** Restarts the count. What a parser has read ahead is not counted again, so the bound is not exact. */
    void restart(String next) {
        location = next;
        count = 0;
    }

    @Override
    public int read() throws IOException {
        int b = in.read();
        count(b < 0 ? 0 : 1);
        return b;
    }

    @Override
    public int read(byte[] bytes, int offset, int length) throws IOException {
        int n = in.read(bytes, offset, length);
        count(Math.max(0, n));
        return n;
    }

    @Override
    public boolean markSupported() {
        return false;
    }

    private void count(int bytes) {
        count += bytes;
        if (count > max) {
            throw new InputException("%s: expected %s of at most %d bytes, found more".formatted(location, what, max));
        }
    }
}
