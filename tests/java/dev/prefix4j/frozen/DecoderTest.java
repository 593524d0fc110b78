package dev.prefix4j.frozen;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.prefix4j.gpt2.Gpt2;
import dev.prefix4j.gpt2.KvCache;
import dev.prefix4j.kernels.Kernels;
import dev.prefix4j.prefix.PrefixShape;
import dev.prefix4j.torch.TensorScope;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.stream.IntStream;
import org.bytedeco.pytorch.NoGradGuard;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Token by token against whole sequences through {@link Gpt2}. */
class DecoderTest {
    private static final int PREFIX = 5;

    private static FrozenGpt2 frozen(Gpt2 model, Precision precision, boolean kernels) {
        return new FrozenGpt2(
                model, new FrozenGpt2.Options(precision, false, kernels, kernels ? Kernels.find() : Optional.empty()));
    }

    /** Logits after a sequence, [V]. */
    private static Tensor whole(Gpt2 model, Tensor vectors, int[] ids) {
        KvCache cache =
                KvCache.startingWith(PrefixShape.of(PREFIX, model.config()).split(vectors));
        long[] all = Arrays.stream(ids).asLongStream().toArray();
        Tensor hidden = model.forward(model.ids(all, 1), cache);
        return model.logits(hidden.select(1, ids.length - 1)).squeeze(0);
    }

    private static int[] with(int[] ids, int token) {
        int[] longer = Arrays.copyOf(ids, ids.length + 1);
        longer[ids.length] = token;
        return longer;
    }

    private static double distance(Tensor a, Tensor b) {
        return a.sub(b).abs().max().item_double();
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void everyRowHasTheLogitsOfItsOwnSequence(boolean kernels) {
        try (TensorScope _ = new TensorScope();
                NoGradGuard _ = new NoGradGuard()) {
            for (FrozenGpt2Test.Model geometry : FrozenGpt2Test.Model.values()) {
                Gpt2 model = FrozenGpt2Test.model(geometry.config);
                Tensor vectors = FrozenGpt2Test.vectors(model.config(), PREFIX);
                List<int[]> rows =
                        new ArrayList<>(List.of(new int[] {3, 9, 27}, new int[] {5}, new int[] {1, 2, 3, 4, 5, 6}));
                Decoder decoder = new Decoder(frozen(model, Precision.FP32, kernels), vectors, rows, 6, 5, 0);
                check(decoder.prefill(), model, vectors, rows);
                // Rows repeat, change places, and leave.
                int[][] parents = {{0, 0, 1, 2, 2, 2}, {1, 0, 0, 5, 4, 3}, {5, 1}, {0, 1}};
                int token = 7;
                for (int[] chosen : parents) {
                    decoder.select(chosen);
                    List<int[]> next = new ArrayList<>();
                    long[] tokens = new long[chosen.length];
                    for (int i = 0; i < chosen.length; i++) {
                        tokens[i] = token++;
                        next.add(with(rows.get(chosen[i]), (int) tokens[i]));
                    }
                    rows = next;
                    check(decoder.next(tokens), model, vectors, rows);
                }
            }
        }
    }

    private static void check(Tensor logits, Gpt2 model, Tensor vectors, List<int[]> rows) {
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
            Gpt2 model = FrozenGpt2Test.model(FrozenGpt2Test.Model.USUAL.config);
            Tensor vectors = FrozenGpt2Test.vectors(model.config(), PREFIX);
            Decoder decoder = new Decoder(
                    frozen(model, Precision.FP32, kernels), vectors, List.of(new int[] {3}, new int[] {4}), 2, 1, 0);
            Tensor logits = decoder.prefill();
            Decoder.Best best = decoder.best(logits, 10);
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

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void noOutputEndsBeforeItMay(boolean kernels) {
        try (TensorScope _ = new TensorScope();
                NoGradGuard _ = new NoGradGuard()) {
            Gpt2 model = FrozenGpt2Test.model(FrozenGpt2Test.Model.USUAL.config);
            Tensor vectors = FrozenGpt2Test.vectors(model.config(), PREFIX);
            Decoder decoder =
                    new Decoder(frozen(model, Precision.FP32, kernels), vectors, List.of(new int[] {3}), 1, 2, 1);
            int eos = model.config().eos();
            assertEquals(
                    Double.NEGATIVE_INFINITY, decoder.prefill().select(1, eos).item_double());
            assertTrue(
                    Double.isFinite(decoder.next(new long[] {1}).select(1, eos).item_double()));
            decoder.next(new long[] {2});
            assertThrows(IllegalStateException.class, () -> decoder.next(new long[] {1}));
            assertArrayEquals(new int[] {1}, new int[] {decoder.rows()});
        }
    }
}
