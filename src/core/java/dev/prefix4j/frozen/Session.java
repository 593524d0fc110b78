package dev.prefix4j.frozen;

import dev.prefix4j.text.PackedBatch;
import dev.prefix4j.torch.TensorScope;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Objects;
import java.util.Set;
import java.util.stream.IntStream;
import org.bytedeco.pytorch.NoGradGuard;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptions;
import org.bytedeco.pytorch.global.torch;
import org.jspecify.annotations.Nullable;

/**
 * Rows that are decoded together. Each is admitted with the runs that it sees, reads its prompt in one or more chunks, takes one
 * token at each step, may be forked, and is finally retired. The results of a row do not depend on the others.
 *
 * <p>Keys and values are stored in pages of {@link #PAGE} tokens, which a row reserves when it is admitted. A run is stored once
 * for all rows that see it, as are the full pages that forked rows share.
 *
 * <p>For one thread at a time. V vocabulary.
 */
public final class Session implements AutoCloseable {
    /** Tokens in a page. */
    public static final int PAGE = 16;

    private final FrozenModel model;
    private final Stored pool; // a page is PAGE of its places
    private final Pages pages;
    private final IdentityHashMap<Run, RunPages> runs = new IdentityHashMap<>();
    private boolean closed;

    /** A run's copy in the pool. */
    private static final class RunPages {
        private final int[] pages;
        private int rows;

        RunPages(int[] pages) {
            this.pages = pages;
        }
    }

    /**
     * @param model must stay open
     * @param pages number of pages; see {@link #pagesFor}
     */
    public Session(FrozenModel model, int pages) {
        this.model = model;
        this.pages = new Pages(pages);
        KvLayout layout = model.layout();
        try (TensorScope scope = new TensorScope()) {
            long[] shape = {layout.layers(), 2, (long) pages * PAGE, layout.columns()};
            TensorOptions options = model.options();
            this.pool = new Stored(scope.release(torch.empty(shape, options, null)));
        }
    }

    /** The number of pages that tokens take. */
    public static int pagesFor(int tokens) {
        return Math.ceilDiv(tokens, PAGE);
    }

    /** Pages that are neither in use nor reserved. */
    public int free() {
        return pages.free();
    }

    /** A row: what it sees, and its own tokens. */
    public final class Row {
        private final List<Seen> seen;
        private final int most;
        private int[] own = new int[0]; // pages
        private int tokens;
        private boolean open = true;

        private Row(List<Seen> seen, int most) {
            this.seen = seen;
            this.most = most;
        }

        /** Its own tokens so far. */
        public int tokens() {
            return tokens;
        }

        /** Position of one of its tokens, as the model counts. */
        private int position(int token) {
            int position = token;
            for (Seen one : seen) {
                position += token >= one.from() ? one.run().length() : 0;
            }
            return position;
        }

        /** First position of a run that it sees, as the model counts. */
        private int offset(int index) {
            Seen one = seen.get(index);
            int offset = one.from();
            for (int i = 0; i < seen.size(); i++) {
                Seen other = seen.get(i);
                boolean before = i < index ? other.from() <= one.from() : other.from() < one.from();
                offset += before ? other.run().length() : 0;
            }
            return offset;
        }

        /** Place in the pool of one of its tokens. */
        private int place(int token) {
            return own[token / PAGE] * PAGE + token % PAGE;
        }

        private Session session() {
            return Session.this;
        }

        /** Pages that it has reserved but not taken. */
        private int reserved() {
            return pagesFor(most) - own.length;
        }
    }

    private Row require(Row row) {
        if (closed || !row.open || row.session() != this) {
            throw new IllegalStateException("session: expected an open row of this session");
        }
        return row;
    }

    /**
     * Admits a row.
     *
     * @param seen runs of this model's layout, in the order in which they precede the row's own tokens; they must stay open until
     *     this returns
     * @param most largest number of its own tokens
     * @throws IllegalStateException if there are not enough free pages ({@link #free})
     * @throws dev.prefix4j.InputException if the row would be too long for the model
     */
    public Row admit(List<Seen> seen, int most) {
        int past = seen.stream().mapToInt(one -> one.run().length()).sum();
        model.requireRoom(past, most, 0);
        Set<Run> fresh = Collections.newSetFromMap(new IdentityHashMap<>());
        seen.stream().map(Seen::run).filter(run -> !runs.containsKey(run)).forEach(fresh::add);
        int needed = pagesFor(most)
                + fresh.stream().mapToInt(run -> pagesFor(run.length())).sum();
        if (needed > free()) {
            throw new IllegalStateException("session: expected " + needed + " free pages for a row, found " + free());
        }
        fresh.forEach(run -> runs.put(run, store(run)));
        Row row = new Row(List.copyOf(seen), most);
        row.seen.forEach(one -> held(one.run()).rows++);
        pages.promise(row.reserved());
        return row;
    }

    private RunPages held(Run run) {
        return Objects.requireNonNull(runs.get(run), "a run that an open row sees");
    }

    private RunPages store(Run run) {
        if (!run.layout().equals(model.layout())) {
            throw new IllegalArgumentException(
                    "session: expected a run of " + model.layout() + ", got " + run.layout());
        }
        int[] own = IntStream.range(0, pagesFor(run.length()))
                .map(_ -> pages.take())
                .toArray();
        try (TensorScope _ = new TensorScope()) {
            for (int i = 0; i < own.length; i++) {
                int count = Math.min(PAGE, run.length() - i * PAGE);
                pool.memory()
                        .narrow(2, (long) own[i] * PAGE, count)
                        .copy_(run.stored().memory().narrow(2, (long) i * PAGE, count));
            }
        }
        return new RunPages(own);
    }

    /** Adds places for more tokens of a row. */
    private void grow(Row row, int count) {
        if (row.tokens + count > row.most) {
            throw new IllegalStateException(
                    "session: expected at most %d tokens of the row, got %d".formatted(row.most, row.tokens + count));
        }
        int needed = pagesFor(row.tokens + count);
        int had = row.own.length;
        row.own = Arrays.copyOf(row.own, Math.max(had, needed));
        for (int i = had; i < needed; i++) {
            row.own[i] = pages.takePromised();
        }
        row.tokens += count;
    }

    /**
     * A part of a prompt.
     *
     * @param ids may be negative: -1 is the first of {@code vectors}, -2 the second, and so on
     * @param asked indices of the ids after which logits are wanted, in ascending order
     * @param vectors embeddings of virtual tokens, [K, E]; null: none
     */
    public record Chunk(
            Row row, int[] ids, int[] asked, @Nullable Tensor vectors) {
        /** A whole prompt, with the logits after it. */
        public static Chunk prompt(Row row, int[] ids, @Nullable Tensor vectors) {
            return new Chunk(row, ids, new int[] {ids.length - 1}, vectors);
        }
    }

    /**
     * Reads chunks, each of a different row.
     *
     * @return logits of the next token at all requested places, chunk by chunk, [asked, V]; they belong to the open scope
     */
    public Tensor read(List<Chunk> chunks) {
        try (TensorScope scope = new TensorScope();
                NoGradGuard _ = new NoGradGuard()) {
            return scope.keep(logits(chunks));
        }
    }

    private Tensor logits(List<Chunk> chunks) {
        long[] offsets = new long[chunks.size() + 1];
        List<List<Segment>> seen = new ArrayList<>();
        List<@Nullable Tensor> vectors = new ArrayList<>();
        for (int i = 0; i < chunks.size(); i++) {
            Chunk chunk = chunks.get(i);
            Row row = require(chunk.row());
            seen.add(segments(row, row.tokens)); // what was there before the chunk
            vectors.add(chunk.vectors());
            offsets[i + 1] = offsets[i] + chunk.ids().length;
        }
        long[] positions = new long[(int) offsets[chunks.size()]];
        long[] places = new long[positions.length];
        int at = 0;
        for (Chunk chunk : chunks) {
            Row row = chunk.row();
            int first = row.tokens;
            grow(row, chunk.ids().length);
            for (int i = 0; i < chunk.ids().length; i++, at++) {
                positions[at] = row.position(first + i);
                places[at] = row.place(first + i);
            }
        }
        long[] ids = chunks.stream()
                .flatMapToInt(chunk -> Arrays.stream(chunk.ids()))
                .asLongStream()
                .toArray();
        long[] asked = IntStream.range(0, chunks.size())
                .boxed()
                .flatMapToLong(i -> Arrays.stream(chunks.get(i).asked()).mapToLong(a -> offsets[i] + a))
                .toArray();
        PackedBatch batch = new PackedBatch(ids, offsets, asked, new long[asked.length]);
        return model.read(batch, positions, seen, vectors, places, pool);
    }

    /**
     * Adds one token to each of the rows.
     *
     * @param tokens one for each row
     * @return logits of the next token, [rows, V]; they belong to the open scope
     */
    public Tensor step(List<Row> rows, long[] tokens) {
        long[] positions = new long[tokens.length];
        long[] places = new long[tokens.length];
        List<List<Segment>> seen = new ArrayList<>();
        try (TensorScope scope = new TensorScope();
                NoGradGuard _ = new NoGradGuard()) {
            for (int i = 0; i < tokens.length; i++) {
                Row row = require(rows.get(i));
                grow(row, 1);
                positions[i] = row.position(row.tokens - 1);
                places[i] = row.place(row.tokens - 1);
                seen.add(segments(row, 0));
            }
            return scope.keep(model.step(tokens, positions, seen, places, pool));
        }
    }

    /**
     * What a row sees: its runs and its own tokens.
     *
     * @param before the own token from which positions are counted
     */
    private List<Segment> segments(Row row, int before) {
        int last = model.layout().layers() - 1;
        List<Segment> segments = new ArrayList<>();
        for (int i = 0; i < row.seen.size(); i++) {
            Seen seen = row.seen.get(i);
            Segment whole = new Segment(
                    pool,
                    0,
                    seen.run().length(),
                    Math.max(0, seen.from() - before),
                    seen.firstLayer(),
                    seen.lastLayer(),
                    model.inputLayer().turnFrom(row.offset(i)));
            add(segments, held(seen.run()).pages, whole);
        }
        add(segments, row.own, new Segment(pool, 0, row.tokens, 0, 0, last, null));
        return segments;
    }

    /** Adds the segments of a whole that is stored in pages; adjacent pages form one segment. */
    private void add(List<Segment> segments, int[] of, Segment whole) {
        int tokens = whole.length();
        int i = 0;
        while (i * PAGE < tokens) {
            int start = i;
            i++;
            while (i * PAGE < tokens && of[i] == of[i - 1] + 1) {
                i++;
            }
            segments.add(whole.part(of[start] * PAGE, Math.min(tokens, i * PAGE) - start * PAGE));
        }
    }

    /**
     * A new row that continues another row. They share full pages; a partially filled one is copied.
     *
     * @throws IllegalStateException if there are not enough free pages
     */
    public Row fork(Row parent) {
        require(parent);
        int full = parent.tokens / PAGE;
        int needed = pagesFor(parent.most) - full;
        if (needed > free()) {
            throw new IllegalStateException("session: expected " + needed + " free pages for a fork, found " + free());
        }
        Row child = new Row(parent.seen, parent.most);
        child.tokens = parent.tokens;
        child.own = Arrays.copyOf(parent.own, parent.own.length);
        for (int i = 0; i < full; i++) {
            pages.share(child.own[i]);
        }
        if (full < child.own.length) {
            child.own[full] = pages.take();
            try (TensorScope _ = new TensorScope()) {
                int count = parent.tokens % PAGE;
                pool.memory()
                        .narrow(2, (long) child.own[full] * PAGE, count)
                        .copy_(pool.memory().narrow(2, (long) parent.own[full] * PAGE, count));
            }
        }
        pages.promise(child.reserved());
        child.seen.forEach(one -> held(one.run()).rows++);
        return child;
    }

    /**
     * Continues some of the rows: row i of the result continues row {@code parents[i]}. A row may be continued several times; one
     * that is not continued is retired.
     *
     * @return the last one that continues a row is that row itself; the others are forks
     */
    public List<Row> select(List<Row> rows, int[] parents) {
        int[] last = new int[rows.size()];
        Arrays.fill(last, -1);
        for (int i = 0; i < parents.length; i++) {
            last[parents[i]] = i;
        }
        IntStream.range(0, last.length)
                .filter(i -> last[i] < 0)
                .mapToObj(rows::get)
                .forEach(this::retire);
        List<Row> next = new ArrayList<>();
        for (int i = 0; i < parents.length; i++) {
            Row parent = rows.get(parents[i]);
            next.add(last[parents[i]] == i ? parent : fork(parent));
        }
        return next;
    }

    /** Ends a row and releases its pages. */
    public void retire(Row row) {
        require(row);
        row.open = false;
        pages.promise(-row.reserved());
        Arrays.stream(row.own).forEach(pages::leave);
        for (Seen seen : row.seen) {
            RunPages held = held(seen.run());
            if (--held.rows == 0) {
                Arrays.stream(held.pages).forEach(pages::leave);
                runs.remove(seen.run());
            }
        }
    }

    /** Frees the pages. */
    @Override
    public void close() {
        if (!closed) {
            closed = true;
            pool.memory().close();
        }
    }
}
