package dev.prefix4j.frozen;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.prefix4j.kernels.Kernels;
import dev.prefix4j.model.BaseModel;
import dev.prefix4j.model.KvCache;
import dev.prefix4j.model.Readable;
import dev.prefix4j.prefix.PrefixShape;
import dev.prefix4j.torch.NativeMemory;
import dev.prefix4j.torch.TensorScope;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.bytedeco.pytorch.NoGradGuard;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Token by token against whole sequences through the readable module of the family. */
class SessionTest {
    private static final int PREFIX = 5;

    private static FrozenModel frozen(BaseModel model, Precision precision, boolean kernels) {
        return new FrozenModel(
                model, new FrozenModel.Options(precision, false, kernels, kernels ? Kernels.find() : Optional.empty()));
    }

    /** Logits after a sequence, [V]. */
    private static Tensor whole(BaseModel model, Tensor vectors, int[] ids) {
        KvCache cache =
                KvCache.startingWith(PrefixShape.of(PREFIX, model.config()).split(vectors));
        long[] all = Arrays.stream(ids).asLongStream().toArray();
        Tensor hidden = Readable.hidden(model, model.ids(all, 1), cache);
        return Readable.logits(model, hidden.select(1, ids.length - 1)).squeeze(0);
    }

    private static int[] with(int[] ids, int token) {
        int[] longer = Arrays.copyOf(ids, ids.length + 1);
        longer[ids.length] = token;
        return longer;
    }

    private static double distance(Tensor a, Tensor b) {
        return a.sub(b).abs().max().item_double();
    }

    /** A session with rows that have read prompts. */
    private static final class Rows implements AutoCloseable {
        private final Run run;
        private final Session session;
        private List<Session.Row> rows;
        private final Tensor logits;

        Rows(FrozenModel model, Tensor vectors, List<int[]> prompts, int pages, int more) {
            this.run = Run.of(vectors, model.layout());
            this.session = new Session(model, pages);
            List<Session.Chunk> chunks = prompts.stream()
                    .map(ids -> Session.Chunk.prompt(
                            session.admit(List.of(Seen.always(run)), ids.length + more), ids, null))
                    .toList();
            this.rows = chunks.stream().map(Session.Chunk::row).toList();
            this.logits = session.read(chunks);
        }

        @Override
        public void close() {
            session.close();
            run.close();
        }
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void everyRowHasTheLogitsOfItsOwnSequence(boolean kernels) {
        try (TensorScope _ = new TensorScope();
                NoGradGuard _ = new NoGradGuard()) {
            for (FrozenModelTest.Model geometry : FrozenModelTest.Model.values()) {
                BaseModel model = FrozenModelTest.model(geometry.config);
                Tensor vectors = FrozenModelTest.vectors(model.config(), PREFIX);
                List<int[]> rows =
                        new ArrayList<>(List.of(new int[] {3, 9, 27}, new int[] {5}, new int[] {1, 2, 3, 4, 5, 6}));
                try (Rows decoded = new Rows(frozen(model, Precision.FP32, kernels), vectors, rows, 8, 5)) {
                    check(decoded.logits, model, vectors, rows);
                    // Rows repeat, change places, and leave.
                    int[][] parents = {{0, 0, 1, 2, 2, 2}, {1, 0, 0, 5, 4, 3}, {5, 1}, {0, 1}};
                    int token = 7;
                    for (int[] chosen : parents) {
                        decoded.rows = decoded.session.select(decoded.rows, chosen);
                        List<int[]> next = new ArrayList<>();
                        long[] tokens = new long[chosen.length];
                        for (int i = 0; i < chosen.length; i++) {
                            tokens[i] = token++;
                            next.add(with(rows.get(chosen[i]), (int) tokens[i]));
                        }
                        rows = next;
                        check(decoded.session.step(decoded.rows, tokens), model, vectors, rows);
                    }
                }
            }
        }
    }

    private static void check(Tensor logits, BaseModel model, Tensor vectors, List<int[]> rows) {
        assertEquals(rows.size(), logits.size(0));
        for (int i = 0; i < rows.size(); i++) {
            Tensor expected = whole(model, vectors, rows.get(i));
            assertTrue(distance(expected, logits.select(0, i)) < 2e-4, "row " + i + " of " + rows.size());
        }
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void theBestAreTheLargest(boolean kernels) {
        try (TensorScope _ = new TensorScope();
                NoGradGuard _ = new NoGradGuard()) {
            BaseModel model = FrozenModelTest.model(FrozenModelTest.Model.USUAL.config);
            Tensor vectors = FrozenModelTest.vectors(model.config(), PREFIX);
            FrozenModel frozen = frozen(model, Precision.FP32, kernels);
            Tensor logits;
            try (Rows rows = new Rows(frozen, vectors, List.of(new int[] {3}, new int[] {4}), 4, 0)) {
                logits = rows.logits;
            }
            Best best = frozen.best(logits, 10);
            Tensor scores = torch.log_softmax(logits, 1);
            for (int row = 0; row < 2; row++) {
                int from = row * 10;
                double[] all = IntStream.range(0, 331)
                        .mapToDouble(v -> -scores.select(0, Math.min(1, from / 10))
                                .select(0, v)
                                .item_double())
                        .sorted()
                        .limit(10)
                        .toArray();
                for (int i = 0; i < 10; i++) {
                    assertEquals(-all[i], best.values()[from + i], 1e-5);
                    double named = scores.select(0, row)
                            .select(0, best.tokens()[from + i])
                            .item_double();
                    assertEquals(named, best.values()[from + i], 1e-5);
                }
                assertEquals(
                        10,
                        Arrays.stream(best.tokens(), from, from + 10).distinct().count());
            }
        }
    }

    private static final FrozenModelTest.Model GEOMETRY = FrozenModelTest.Model.USUAL;

    /** A prompt with its own prefix, by a seed. */
    private record Prompt(int prefix, int[] ids, int steps) {
        static Prompt of(Random random, int longest) {
            int[] prefixes = {0, 1, 10, 33};
            int[] ids = random.ints(1 + random.nextInt(longest), 0, 300).toArray();
            return new Prompt(prefixes[random.nextInt(prefixes.length)], ids, 1 + random.nextInt(4));
        }
    }

    /** Logits after the prompt and after each of the steps of every row, by row. */
    private static List<List<Tensor>> decode(FrozenModel model, Map<Integer, Run> runs, List<Prompt> prompts) {
        List<List<Tensor>> logits = new ArrayList<>();
        int pages = prompts.stream()
                .mapToInt(p -> Session.pagesFor(p.prefix()) + Session.pagesFor(p.ids().length + p.steps()))
                .sum();
        try (Session session = new Session(model, pages)) {
            List<Session.Chunk> chunks = new ArrayList<>();
            for (Prompt prompt : prompts) {
                Session.Row row = session.admit(
                        List.of(Seen.always(runs.get(prompt.prefix()))), prompt.ids().length + prompt.steps());
                chunks.add(Session.Chunk.prompt(row, prompt.ids(), null));
                logits.add(new ArrayList<>());
            }
            Tensor read = session.read(chunks);
            for (int i = 0; i < prompts.size(); i++) {
                logits.get(i).add(read.select(0, i));
            }
            for (int step = 0; step < 4; step++) {
                int n = step;
                int[] open = IntStream.range(0, prompts.size())
                        .filter(i -> prompts.get(i).steps() > n)
                        .toArray();
                if (open.length == 0) {
                    break;
                }
                Tensor next = session.step(
                        Arrays.stream(open).mapToObj(i -> chunks.get(i).row()).toList(),
                        Arrays.stream(open)
                                .mapToLong(i -> 7L * n + prompts.get(i).ids()[0] % 50)
                                .toArray());
                for (int i = 0; i < open.length; i++) {
                    logits.get(open[i]).add(next.select(0, i));
                }
            }
        }
        return logits;
    }

    /** In our kernels a row gets the same bits alone and in any company: of prompts, prefixes and numbers of steps. */
    @ParameterizedTest
    @MethodSource("dev.prefix4j.frozen.SoftPromptTest#familiesAndPrecisions")
    void aRowDoesNotDependOnItsCompany(FrozenModelTest.Model geometry, Precision precision) {
        assumeTrue(Kernels.find().isPresent(), "kernels are built");
        Random random = new Random(16);
        try (TensorScope _ = new TensorScope();
                NoGradGuard _ = new NoGradGuard()) {
            BaseModel model = FrozenModelTest.model(geometry.config);
            FrozenModel frozen = frozen(model, precision, true);
            int longest = model.config().positions() - 33 - 4;
            Map<Integer, Run> runs = new HashMap<>();
            for (int prefix : new int[] {0, 1, 10, 33}) {
                runs.put(prefix, Run.of(FrozenModelTest.vectors(model.config(), prefix), frozen.layout()));
            }
            for (int company : new int[] {2, 7, 41, 64}) {
                try (TensorScope _ = new TensorScope()) {
                    List<Prompt> prompts = Stream.generate(() -> Prompt.of(random, longest))
                            .limit(company)
                            .toList();
                    List<List<Tensor>> together = decode(frozen, runs, prompts);
                    for (int i = 0; i < company; i++) {
                        List<Tensor> alone =
                                decode(frozen, runs, List.of(prompts.get(i))).getFirst();
                        for (int n = 0; n < alone.size(); n++) {
                            assertTrue(
                                    alone.get(n).equal(together.get(i).get(n)),
                                    "row " + i + " of " + company + ", step " + n);
                        }
                    }
                }
            }
            runs.values().forEach(Run::close);
        }
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void aPromptMayBeReadInChunks(boolean kernels) {
        try (TensorScope _ = new TensorScope();
                NoGradGuard _ = new NoGradGuard()) {
            BaseModel model = FrozenModelTest.model(GEOMETRY.config);
            FrozenModel frozen = frozen(model, Precision.FP32, kernels);
            int[] ids = IntStream.range(0, 40).map(i -> i * 7 % 300).toArray();
            try (Run run = Run.of(FrozenModelTest.vectors(model.config(), PREFIX), frozen.layout());
                    Session session = new Session(frozen, 16)) {
                // seen from the token 20 on, as an infix is
                List<Seen> seen = List.of(new Seen(run, 20, 0, model.config().layers() - 1));
                int[] all = IntStream.range(0, 40).toArray();
                Session.Row row = session.admit(seen, 40);
                Tensor whole = session.read(List.of(new Session.Chunk(row, ids, all, null))); // [40, V]
                session.retire(row);
                Session.Row again = session.admit(seen, 40);
                int at = 0;
                for (int length : new int[] {1, 18, 1, 17, 3}) {
                    int[] chunk = Arrays.copyOfRange(ids, at, at + length);
                    Tensor part = session.read(List.of(new Session.Chunk(
                            again, chunk, IntStream.range(0, length).toArray(), null)));
                    assertTrue(distance(whole.narrow(0, at, length), part) < 2e-4, "tokens from " + at);
                    at += length;
                }
                assertEquals(40, again.tokens());
                assertThrows(IllegalStateException.class, () -> session.step(List.of(again), new long[] {1}));
                assertThrows(IllegalStateException.class, () -> session.step(List.of(row), new long[] {1}));
            }
        }
    }

    @Test
    void pagesAreReservedSharedAndGivenBack() {
        try (TensorScope _ = new TensorScope();
                NoGradGuard _ = new NoGradGuard()) {
            BaseModel model = FrozenModelTest.model(GEOMETRY.config);
            FrozenModel frozen = frozen(model, Precision.FP32, false);
            try (Run run = Run.of(FrozenModelTest.vectors(model.config(), 17), frozen.layout());
                    Session session = new Session(frozen, 9)) {
                List<Seen> seen = List.of(Seen.always(run));
                Session.Row first = session.admit(seen, 36); // 2 pages of the run, 3 of its own
                assertEquals(4, session.free());
                int[] ids = IntStream.range(0, 33).toArray();
                session.read(List.of(Session.Chunk.prompt(first, ids, null)));
                assertEquals(4, session.free());
                Session.Row second = session.fork(first); // a page of its own: 2 are shared
                assertEquals(3, session.free());
                String full = assertThrows(IllegalStateException.class, () -> session.admit(seen, 49))
                        .getMessage();
                assertEquals("session: expected 4 free pages for a row, found 3", full);
                Session.Row third = session.admit(seen, 48); // the run is there already
                assertEquals(0, session.free());
                assertThrows(IllegalStateException.class, () -> session.fork(first));
                session.retire(first);
                assertEquals(1, session.free()); // what the second row sees stays
                session.step(List.of(second), new long[] {5});
                session.retire(second);
                session.retire(third);
                assertEquals(9, session.free());
                assertThrows(IllegalStateException.class, () -> session.retire(third));
            }
        }
    }

    @Test
    void aRunOutlivesScopesAndIsFreedByItsLastUser() {
        Run run;
        try (TensorScope _ = new TensorScope()) {
            run = Run.of(torch.ones(new long[] {3, 8}), new KvLayout(1, 2, 2));
        }
        assertEquals(3, run.length());
        Run same = run.retain();
        run.close();
        assertEquals(24.0, torch.sum(same.stored().memory()).item_double());
        same.close();
        assertTrue(run.stored().memory().isNull());
        assertThrows(IllegalStateException.class, run::close);
        assertThrows(IllegalStateException.class, run::retain);
        assertThrows(
                IllegalArgumentException.class, () -> Run.of(torch.ones(new long[] {3, 8}), new KvLayout(1, 2, 3)));
    }

    @Test
    void sessionsLeaveNothingBehind() {
        try (TensorScope _ = new TensorScope();
                NoGradGuard _ = new NoGradGuard()) {
            BaseModel model = FrozenModelTest.model(GEOMETRY.config);
            FrozenModel frozen = frozen(model, Precision.FP32, Kernels.find().isPresent());
            Tensor vectors = FrozenModelTest.vectors(model.config(), 10);
            NativeMemory.assertNothingIsLeftBehind(600, () -> {
                try (TensorScope _ = new TensorScope();
                        Rows rows = new Rows(frozen, vectors, List.of(new int[] {3, 4}, new int[] {5}), 8, 5)) {
                    rows.rows = rows.session.select(rows.rows, new int[] {0, 0, 1});
                    rows.session.step(rows.rows, new long[] {1, 2, 3});
                }
            });
        }
    }
}
