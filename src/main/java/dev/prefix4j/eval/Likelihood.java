package dev.prefix4j.eval;

import dev.prefix4j.gpt2.Gpt2;
import dev.prefix4j.gpt2.KvCache;
import dev.prefix4j.gpt2.KvCache.KeyValue;
import dev.prefix4j.gpt2.LmLoss;
import dev.prefix4j.text.Sequence;
import dev.prefix4j.text.TokenBatch;
import dev.prefix4j.torch.TensorScope;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.function.BooleanSupplier;
import org.bytedeco.pytorch.NoGradGuard;
import org.bytedeco.pytorch.Tensor;

/**
 * How well a model predicts targets.
 *
 * @param loss mean negative log-likelihood of a target token, in nats
 * @param tokens target tokens, the end tokens included
 */
public record Likelihood(double loss, long tokens) {
    /** e to the power of {@link #loss}. */
    public double perplexity() {
        return Math.exp(loss);
    }

    /**
     * Scores the targets of sequences. The order of the sequences is free: they are batched by length.
     *
     * @param prefix what the model sees before each sequence, for each layer [1, H, P, D]; empty: nothing
     * @param sequences at least one
     */
    public static Likelihood of(Gpt2 model, List<KeyValue> prefix, List<Sequence> sequences, int batchSize) {
        return of(model, prefix, sequences, batchSize, () -> false).orElseThrow();
    }

    /**
     * As {@link #of(Gpt2, List, List, int)}, unless it is stopped.
     *
     * @param stop asked after each batch
     * @return nothing if it was stopped
     */
    public static Optional<Likelihood> of(
            Gpt2 model, List<KeyValue> prefix, List<Sequence> sequences, int batchSize, BooleanSupplier stop) {
        List<Sequence> byLength = sequences.stream()
                .sorted(Comparator.comparingInt(s -> s.ids().length))
                .toList();
        double sum = 0;
        long tokens = 0;
        for (int from = 0; from < byLength.size(); from += batchSize) {
            TokenBatch batch = TokenBatch.of(
                    byLength.subList(from, Math.min(from + batchSize, byLength.size())),
                    model.config().eos());
            try (TensorScope _ = new TensorScope();
                    NoGradGuard _ = new NoGradGuard()) {
                KvCache cache = prefix.isEmpty()
                        ? KvCache.empty(model.config().layers())
                        : KvCache.startingWith(prefix);
                Tensor hidden = model.forward(model.ids(batch.ids(), batch.rows()), cache); // [B, T, E]
                Tensor loss = LmLoss.sum(model, hidden, model.ids(batch.positions()), model.ids(batch.targets()));
                sum += loss.item_double();
                tokens += batch.targets().length;
            }
            if (stop.getAsBoolean() && from + batchSize < byLength.size()) {
                return Optional.empty();
            }
        }
        return Optional.of(new Likelihood(sum / tokens, tokens));
    }
}
