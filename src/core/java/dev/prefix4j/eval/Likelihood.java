package dev.prefix4j.eval;

import dev.prefix4j.frozen.Conditioned;
import dev.prefix4j.text.PackedBatch;
import dev.prefix4j.text.Sequence;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.function.BooleanSupplier;

/**
 * How well a model predicts targets.
 *
 * @param loss mean negative log-likelihood per target token, in nats
 * @param tokens number of target tokens, including the end tokens
 */
public record Likelihood(double loss, long tokens) {
    /** e to the power of {@link #loss}. */
    public double perplexity() {
        return Math.exp(loss);
    }

    /**
     * Scores the targets of sequences. The order of the sequences does not matter: they are batched by length.
     *
     * @param model with its adapter
     * @param sequences at least one
     */
    public static Likelihood of(Conditioned model, List<Sequence> sequences, int batchSize) {
        return of(model, sequences, batchSize, () -> false).orElseThrow();
    }

    /**
     * As {@link #of(Conditioned, List, int)}, but can be stopped.
     *
     * @param stop checked after each batch
     * @return empty if it was stopped
     */
    public static Optional<Likelihood> of(
            Conditioned model, List<Sequence> sequences, int batchSize, BooleanSupplier stop) {
        List<Sequence> byLength = sequences.stream()
                .map(model::arrange)
                .sorted(Comparator.comparingInt(s -> s.ids().length))
                .toList();
        double sum = 0;
        long tokens = 0;
        for (int from = 0; from < byLength.size(); from += batchSize) {
            PackedBatch batch = PackedBatch.of(byLength.subList(from, Math.min(from + batchSize, byLength.size())));
            sum += model.model().loss(batch, model.prompt());
            tokens += batch.targets().length;
            if (stop.getAsBoolean() && from + batchSize < byLength.size()) {
                return Optional.empty();
            }
        }
        return Optional.of(new Likelihood(sum / tokens, tokens));
    }
}
