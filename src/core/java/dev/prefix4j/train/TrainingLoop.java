package dev.prefix4j.train;

import dev.prefix4j.InputException;
import dev.prefix4j.torch.TensorScope;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.function.BooleanSupplier;
import org.bytedeco.pytorch.Tensor;

/**
 * The loop of every run, of tuning and of pretraining: steps, validations, saves, and resuming a run that was interrupted.
 */
public final class TrainingLoop {
    private static final String STEP = "step";

    private final Training training;
    private final RunStore run;
    private final int validateEvery;
    private final int saveEvery;
    private int step;

    /**
     * @param validateEvery steps between validations; there is one at the end, too
     * @param saveEvery steps between saves; there is one at the end, too
     */
    public TrainingLoop(Training training, RunStore run, int validateEvery, int saveEvery) {
        this.training = training;
        this.run = run;
        this.validateEvery = validateEvery;
        this.saveEvery = saveEvery;
    }

    /** Steps that have been taken. */
    public int step() {
        return step;
    }

    /**
     * Trains from where the run is to its end.
     *
     * @param stop checked after each step; if true, the run is saved and can be resumed
     * @throws InputException if the loss is no longer a number, or the run cannot be written
     */
    public void run(TrainListener listener, BooleanSupplier stop) {
        Map<String, Tensor> state = training.state();
        restore(run.loadState(state));
        run.keepLinesUpTo(step);
        training.restored();
        listener.started(step, training.total(step));
        boolean stopped = false;
        if (training.owesLook()) { // the run was stopped there
            training.look(step, listener, stop);
            stopped = stop.getAsBoolean();
            save(state);
        }
        while (!training.isOver(step) && !stopped) {
            takeStep(listener);
            if (training.isOver(step) || step % validateEvery == 0) {
                training.look(step, listener, stop);
            }
            stopped = stop.getAsBoolean();
            if (training.isOver(step) || stopped || step % saveEvery == 0) {
                save(state);
            }
        }
    }

    private void takeStep(TrainListener listener) {
        long start = System.nanoTime();
        Training.Outcome outcome = training.step(step);
        step++;
        double seconds = (System.nanoTime() - start) * 1e-9;
        training.spent(seconds);
        Step taken = new Step(
                step,
                training.total(step),
                outcome.loss(),
                outcome.learningRate(),
                outcome.gradientNorm(),
                outcome.tokens(),
                seconds);
        run.log(taken);
        listener.stepped(taken);
    }

    /**
     * Refuses a loss that is not finite, before it changes a parameter.
     *
     * @param step from 0
     * @param learningRate that was configured
     */
    public static void requireFinite(double loss, int step, double learningRate) {
        if (!Double.isFinite(loss)) {
            throw new InputException("the loss became %s in step %d: try a smaller --lr than %s"
                    .formatted(loss, step + 1, learningRate));
        }
    }

    private void save(Map<String, Tensor> state) {
        try (TensorScope _ = new TensorScope()) { // otherwise the run's scope would hold the tensors of each save
            training.keep();
            Map<String, String> progress = new LinkedHashMap<>();
            progress.put(STEP, Integer.toString(step));
            progress.putAll(training.progress());
            run.saveState(state, progress);
        }
    }

    private void restore(Map<String, String> progress) {
        if (progress.isEmpty()) {
            return;
        }
        try {
            step = Integer.parseInt(progress.getOrDefault(STEP, "0"));
            if (step < 0) {
                throw run.damagedProgress();
            }
            training.restore(step, progress);
        } catch (NumberFormatException e) {
            throw run.damagedProgress();
        }
    }
}
