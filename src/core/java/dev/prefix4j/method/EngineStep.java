package dev.prefix4j.method;

import dev.prefix4j.frozen.Adaptation;
import dev.prefix4j.frozen.Conditioned;
import dev.prefix4j.frozen.FrozenModel;
import dev.prefix4j.frozen.GradientPass;
import dev.prefix4j.frozen.Objective;
import dev.prefix4j.frozen.PromptReading;
import dev.prefix4j.frozen.SoftPrompt;
import dev.prefix4j.text.PackedBatch;
import dev.prefix4j.text.Sequence;
import dev.prefix4j.torch.Draws;
import dev.prefix4j.torch.TensorScope;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.stream.IntStream;
import org.bytedeco.pytorch.NoGradGuard;
import org.jspecify.annotations.Nullable;

/**
 * A step of any number of tuners on one engine, whose sequences may share batches. Nothing else asks the engine for gradients. With our
 * kernels, a tuner gets the same bits whatever other tuners there are.
 */
public final class EngineStep {
    /** Separates the seeds of a step's parts: SplitMix64's increment. */
    private static final long PART = 0x9E3779B97F4A7C15L;

    private final FrozenModel engine;
    private final List<Task> tasks;
    private final List<Tuner.Step> steps;
    private final double[] losses;

    /**
     * A tuner's share of a step.
     *
     * @param weight of each target's loss in the gradient
     * @param seed of what is random
     */
    public record Task(Tuner tuner, Tuning.Goal goal, double weight, long seed) {}

    /**
     * Sequences that are computed together.
     *
     * @param of index of each sequence's task
     */
    public record Batch(List<Sequence> sequences, int[] of) {}

    private EngineStep(FrozenModel engine, List<Task> tasks) {
        this.engine = engine;
        this.tasks = tasks;
        this.steps = tasks.stream().map(task -> task.tuner().step()).toList();
        this.losses = new double[tasks.size()];
    }

    /**
     * The loss of each task and its gradient.
     *
     * @param batches computed one after the other
     * @return with tensors that belong to the open scope
     */
    public static List<Tuning.Result> of(FrozenModel engine, List<Task> tasks, List<Batch> batches) {
        try (NoGradGuard _ = new NoGradGuard()) {
            EngineStep step = new EngineStep(engine, tasks);
            for (int part = 0; part < batches.size(); part++) {
                try (TensorScope _ = new TensorScope()) {
                    step.add(batches.get(part), part);
                }
            }
            return IntStream.range(0, tasks.size())
                    .mapToObj(i ->
                            new Tuning.Result(step.losses[i], step.steps.get(i).gradients()))
                    .toList();
        }
    }

    private void add(Batch batch, int part) {
        List<@Nullable PromptReading> readings = new ArrayList<>(); // null: nothing to read
        try {
            List<Adaptation> adaptations = new ArrayList<>();
            for (int i = 0; i < tasks.size(); i++) {
                Task task = tasks.get(i);
                Draws draws = new Draws(task.seed() + part * PART);
                Tuner.Given given = steps.get(i).give(task.goal().dropout(), draws);
                switch (given) {
                    case Tuner.Given.Ready ready -> {
                        readings.add(null);
                        adaptations.add(ready.adaptation());
                    }
                    case Tuner.Given.ToRead read -> {
                        PromptReading reading = engine.read(read.vectors());
                        readings.add(reading);
                        adaptations.add(Adaptation.of(SoftPrompt.prefix(reading.activations(), engine.config())));
                    }
                }
            }
            GradientPass.Gradients gradients = gradients(batch, adaptations);
            for (int b = 0; b < batch.of().length; b++) {
                losses[batch.of()[b]] += gradients.losses()[b];
            }
            for (int i = 0; i < tasks.size(); i++) {
                Adaptation.Gradient gradient = gradients.adaptations().get(i);
                PromptReading reading = readings.get(i);
                steps.get(i)
                        .take(
                                reading == null
                                        ? gradient
                                        : new Adaptation.Gradient(
                                                gradient.activations(),
                                                reading.back(gradient.activations()),
                                                gradient.extension()));
            }
        } finally {
            readings.stream().filter(reading -> reading != null).forEach(PromptReading::close);
        }
    }

    private GradientPass.Gradients gradients(Batch batch, List<Adaptation> adaptations) {
        List<Sequence> arranged = new ArrayList<>();
        for (int b = 0; b < batch.of().length; b++) {
            SoftPrompt prompt = adaptations.get(batch.of()[b]).prompt();
            arranged.add(prompt.arrange(batch.sequences().get(b)));
        }
        return engine.gradient(PackedBatch.of(arranged), adaptations, batch.of(), objectives(batch));
    }

    /** For all targets of a batch. */
    private List<Objective> objectives(Batch batch) {
        List<List<Objective>> taught = new ArrayList<>(); // for each task, in the order of its own sequences
        for (int i = 0; i < tasks.size(); i++) {
            taught.add(taught(batch, i));
        }
        int[] next = new int[tasks.size()];
        List<Objective> all = new ArrayList<>();
        for (int b = 0; b < batch.of().length; b++) {
            int one = batch.of()[b];
            Sequence sequence = batch.sequences().get(b);
            int targets = sequence.ids().length - sequence.sourceLength();
            all.addAll(taught.get(one).subList(next[one], next[one] + targets));
            next[one] += targets;
        }
        return all;
    }

    private List<Objective> taught(Batch batch, int one) {
        Task task = tasks.get(one);
        List<Sequence> own = IntStream.range(0, batch.of().length)
                .filter(b -> batch.of()[b] == one)
                .mapToObj(batch.sequences()::get)
                .toList();
        if (own.isEmpty()) {
            return List.of();
        }
        Conditioned teacher = task.goal().teacher().orElse(null);
        if (teacher != null) {
            PackedBatch packed =
                    PackedBatch.of(own.stream().map(teacher::arrange).toList());
            return Objective.taught(teacher.model().predictions(packed, teacher.prompt()), task.weight());
        }
        int targets = own.stream()
                .mapToInt(sequence -> sequence.ids().length - sequence.sourceLength())
                .sum();
        return new Objective(task.weight(), task.goal().smoothing(), Optional.empty()).each(targets);
    }
}
