package dev.prefix4j.cli;

import dev.prefix4j.eval.Likelihood;
import dev.prefix4j.report.RunReporter;
import dev.prefix4j.report.TensorBoard;
import dev.prefix4j.train.Sample;
import dev.prefix4j.train.Step;
import dev.prefix4j.train.TrainListener;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** Everything that follows a run: what the user sees, the report, event files for TensorBoard. */
final class RunWatch implements TrainListener, AutoCloseable {
    private final TrainProgress progress;
    private final RunReporter reporter;
    private final Optional<TensorBoard> tensorBoard;
    private final List<TrainListener> all = new ArrayList<>();

    /**
     * @param run folder of the run
     * @param wantsTensorBoard whether to write event files; a run that already has some gets them anyway
     */
    RunWatch(
            TrainProgress progress,
            Path run,
            String command,
            String device,
            boolean wantsTensorBoard,
            Console console) {
        this.progress = progress;
        Map<String, String> environment = DoctorCommand.facts();
        environment.put("device", device);
        this.reporter = new RunReporter(run, command, environment, text -> console.say("%s", text));
        this.tensorBoard =
                wantsTensorBoard || TensorBoard.isIn(run) ? Optional.of(TensorBoard.open(run)) : Optional.empty();
        all.add(progress);
        tensorBoard.ifPresent(all::add);
        all.add(reporter);
    }

    @Override
    public void started(int stepsDone, int total) {
        all.forEach(listener -> listener.started(stepsDone, total));
    }

    @Override
    public void stepped(Step step) {
        all.forEach(listener -> listener.stepped(step));
    }

    @Override
    public void validating(int sequences) {
        all.forEach(listener -> listener.validating(sequences));
    }

    @Override
    public void sampled(int step, List<Sample> samples) {
        all.forEach(listener -> listener.sampled(step, samples));
    }

    @Override
    public void validated(int step, Likelihood likelihood, boolean best) {
        all.forEach(listener -> listener.validated(step, likelihood, best));
    }

    @Override
    public void close() {
        progress.close();
        reporter.close();
        tensorBoard.ifPresent(TensorBoard::close);
    }
}
