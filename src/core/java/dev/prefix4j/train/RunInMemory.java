package dev.prefix4j.train;

import dev.prefix4j.InputException;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import org.bytedeco.pytorch.Tensor;

/** A run that leaves nothing on disk, and so cannot be resumed; a {@link TrainListener} hears what it does. */
public final class RunInMemory implements RunStore {
    private final Totals totals = new Totals();

    @Override
    public void log(Step step) {
        totals.add(step.line());
    }

    @Override
    public void log(Validation validation) {
        // The listener has heard it.
    }

    @Override
    public void log(int step, List<Sample> written) {
        // Nobody reads them.
    }

    @Override
    public void keepLinesUpTo(int step) {
        // It starts from the beginning.
    }

    @Override
    public void saveState(Map<String, Tensor> tensors, Map<String, String> progress) {
        // It is not resumed.
    }

    @Override
    public Map<String, String> loadState(Map<String, Tensor> tensors) {
        return Map.of();
    }

    @Override
    public InputException damagedProgress() {
        throw new IllegalStateException("a run in memory has no state to resume from");
    }

    @Override
    public Optional<Path> place() {
        return Optional.empty();
    }

    @Override
    public OptionalDouble lastLoss() {
        return totals.lastLoss();
    }

    @Override
    public OptionalDouble tokensPerSecond() {
        return totals.tokensPerSecond();
    }
}
