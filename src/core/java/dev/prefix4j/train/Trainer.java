package dev.prefix4j.train;

import dev.prefix4j.InputException;
import dev.prefix4j.eval.Likelihood;
import dev.prefix4j.frozen.Conditioned;
import dev.prefix4j.method.Tuning;
import dev.prefix4j.prefix.Gradient;
import dev.prefix4j.text.Sequence;
import dev.prefix4j.torch.TensorScope;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.function.BooleanSupplier;
import org.bytedeco.pytorch.Tensor;

/**
 * Trains what a method trains (Li and Liang 2021, section 4.2).
 *
 * <p>In each step, the method computes the loss on the target tokens of a batch and its gradient, and AdamW updates the
 * parameters. For a prefix, the encoder makes it, the model reads a batch after it, and the gradient goes back through the
 * frozen model to its keys and values, and from there to the encoder.
 *
 * <p>A step depends only on the seed, its number and the parameters: a resumed run has the same losses as one that was
 * never interrupted, on the same machine with the same number of threads.
 */
public final class Trainer {
    /** Sequences that are validated together. */
    private static final int VALIDATION_BATCH = 20;

    private final Tuning tuning;
    private final TrainConfig config;
    private final Batches batches;
    private final List<Sequence> validation;
    private final RunStore run;
    private final Runnable saver;
    private final int total;

    private OptionalDouble bestLoss = OptionalDouble.empty();
    private int withoutImprovement;
    private boolean stoppedEarly;
    private boolean toValidate; // a validation was stopped before its end
    private Optional<Conditioned> teacher = Optional.empty();
    private Runnable whenRestored = () -> {};

    /**
     * @param tuning what is trained
     * @param training at least one sequence
     * @param validation empty: none
     * @param saver writes what was trained to the run's adapter folder
     */
    public Trainer(
            Tuning tuning,
            TrainConfig config,
            List<Sequence> training,
            List<Sequence> validation,
            RunStore run,
            Runnable saver) {
        this(
                tuning,
                config,
                Batches.shuffled(training, config.batchSize(), config.seed(), config.groupByLength()),
                training,
                validation,
                run,
                saver);
    }

    /** With the training data in a given order. */
    Trainer(
            Tuning tuning,
            TrainConfig config,
            Batches batches,
            List<Sequence> training,
            List<Sequence> validation,
            RunStore run,
            Runnable saver) {
        if (training.isEmpty()) {
            throw new InputException("training data: expected at least one example, found none");
        }
        this.tuning = tuning;
        this.config = config;
        this.batches = batches;
        this.validation = List.copyOf(validation);
        this.run = run;
        this.saver = saver;
        long steps = config.steps() > 0 ? config.steps() : (long) config.epochs() * stepsPerEpoch();
        if (steps > Integer.MAX_VALUE) {
            throw new InputException("epochs: expected at most %,d, with %,d steps each, found %,d"
                    .formatted(Integer.MAX_VALUE / stepsPerEpoch(), stepsPerEpoch(), config.epochs()));
        }
        this.total = (int) steps;
        for (List<Sequence> sequences : List.of(training, validation)) {
            sequences.stream().mapToInt(s -> s.ids().length).max().ifPresent(tuning::requireRoom);
        }
    }

    private int stepsPerEpoch() {
        return Math.ceilDiv(batches.perEpoch(), config.accumulate());
    }

    /**
     * Replaces the targets by another model's predictions (distillation).
     *
     * @param model must stay open while this trains
     */
    public void learnFrom(Conditioned model) {
        teacher = Optional.of(model);
    }

    /** Runs an action before the first step, once a saved state, if any, has been read and checked. */
    public void whenRestored(Runnable action) {
        whenRestored = action;
    }

    /** Steps of the whole run. */
    public int totalSteps() {
        return total;
    }

    /** Trains to the end of the run, without samples. */
    public TrainResult train(TrainListener listener, BooleanSupplier stop) {
        return train(listener, Sampler.NONE, stop);
    }

    /**
     * Trains to the end of the run, from the step of its saved state.
     *
     * @param sampler called after each validation; without validation data, where one would be
     * @param stop checked after each step; if true, the run is saved and can be resumed
     * @throws InputException if the loss is not finite, or the run directory cannot be written
     */
    public TrainResult train(TrainListener listener, Sampler sampler, BooleanSupplier stop) {
        try (TensorScope _ = new TensorScope()) {
            TrainingLoop loop = new TrainingLoop(new Steps(sampler), run, validateEvery(), config.saveEvery());
            loop.run(listener, stop);
            return result(loop.step());
        }
    }

    private int validateEvery() {
        return config.validateEvery() > 0 ? config.validateEvery() : stepsPerEpoch();
    }

    /** What the loop is given. */
    private final class Steps implements Training {
        private final AdamW optimizer = new AdamW(tuning.parameters(), config.weightDecay());
        private final Sampler sampler;

        Steps(Sampler sampler) {
            this.sampler = sampler;
        }

        @Override
        public Map<String, Tensor> state() {
            Map<String, Tensor> state = new LinkedHashMap<>();
            tuning.parameters().forEach((name, tensor) -> state.put("encoder." + name, tensor));
            state.putAll(optimizer.state());
            return state;
        }

        @Override
        public Map<String, String> progress() {
            Map<String, String> progress = new LinkedHashMap<>();
            bestLoss.ifPresent(loss -> progress.put("best_valid_loss", Double.toString(loss)));
            progress.put("without_improvement", Integer.toString(withoutImprovement));
            progress.put("to_validate", Boolean.toString(toValidate));
            progress.put("stopped_early", Boolean.toString(stoppedEarly));
            return progress;
        }

        @Override
        public void restore(int step, Map<String, String> progress) {
            if (progress.containsKey("best_valid_loss")) {
                bestLoss = OptionalDouble.of(Double.parseDouble(progress.get("best_valid_loss")));
            }
            withoutImprovement = Integer.parseInt(progress.getOrDefault("without_improvement", "0"));
            if (withoutImprovement < 0) {
                throw run.damagedProgress();
            }
            if (step > total) {
                throw new InputException(
                        "%s: the run has taken %,d steps already, found --steps or --epochs that make %,d"
                                .formatted(run.place().orElseThrow(), step, total));
            }
            toValidate = Boolean.parseBoolean(progress.get("to_validate"));
            // with a longer patience, or none, a run that stopped early continues
            stoppedEarly = Boolean.parseBoolean(progress.get("stopped_early"))
                    && config.patience() > 0
                    && withoutImprovement >= config.patience();
        }

        @Override
        public void restored() {
            whenRestored.run();
        }

        @Override
        public int total(int step) {
            return total;
        }

        @Override
        public boolean isOver(int step) {
            return step >= total || stoppedEarly;
        }

        @Override
        public Outcome step(int step) {
            return takeStep(step, optimizer);
        }

        @Override
        public void look(int step, TrainListener listener, BooleanSupplier stop) {
            try (TensorScope _ = new TensorScope()) {
                Conditioned model = tuning.current();
                if (!validation.isEmpty()) {
                    validate(step, model, listener, stop);
                }
                if (!toValidate) {
                    run.log(step, sampler.sample(model));
                }
            }
        }

        @Override
        public boolean owesLook() {
            return toValidate;
        }

        @Override
        public void keep() {
            if (validation.isEmpty()) {
                saver.run();
            }
        }
    }

    private Training.Outcome takeStep(int step, AdamW optimizer) {
        double loss;
        int tokens = 0;
        int targets = 0;
        double norm;
        double learningRate = config.learningRate(step, total);
        try (TensorScope _ = new TensorScope()) {
            List<List<Sequence>> parts = parts(step);
            int sentences = 0;
            for (List<Sequence> part : parts) {
                sentences += part.size();
                for (Sequence sequence : part) {
                    targets += sequence.ids().length - sequence.sourceLength();
                    tokens += sequence.ids().length;
                }
            }
            double weight = 1.0 / (config.sentenceSum() ? sentences : targets);
            Tuning.Goal goal = new Tuning.Goal(config.smoothing(), teacher, config.prefixDropout());
            Tuning.Result result = tuning.gradients(parts, goal, weight, config.seed() * 1_000_003 + step);
            loss = result.loss() / targets;
            TrainingLoop.requireFinite(loss, step, config.learningRate());
            Map<String, Gradient> gradients = new LinkedHashMap<>(result.gradients());
            norm = Math.sqrt(gradients.values().stream()
                    .mapToDouble(gradient -> Math.pow(gradient.norm(), 2))
                    .sum());
            double factor = config.clip() > 0 ? Math.min(1, config.clip() / (norm + 1e-6)) : 1; // as PyTorch clips
            gradients.replaceAll((_, gradient) -> gradient.scaled(factor));
            optimizer.step(learningRate, gradients);
        }
        return new Training.Outcome(loss, learningRate, norm, tokens);
    }

    /** The batches of this step: several if gradients are accumulated, fewer at the end of an epoch. */
    private List<List<Sequence>> parts(int step) {
        int epoch = step / stepsPerEpoch();
        int from = step % stepsPerEpoch() * config.accumulate();
        int to = Math.min(from + config.accumulate(), batches.perEpoch());
        return java.util.stream.IntStream.range(from, to)
                .mapToObj(i -> batches.get((long) epoch * batches.perEpoch() + i))
                .toList();
    }

    private void validate(int step, Conditioned model, TrainListener listener, BooleanSupplier stop) {
        listener.validating(validation.size());
        Optional<Likelihood> scored = Likelihood.of(model, validation, VALIDATION_BATCH, stop);
        toValidate = scored.isEmpty();
        if (toValidate) {
            return;
        }
        Likelihood likelihood = scored.get();
        boolean best = bestLoss.isEmpty() || likelihood.loss() < bestLoss.getAsDouble();
        if (best) {
            bestLoss = OptionalDouble.of(likelihood.loss());
            withoutImprovement = 0;
            saver.run();
        } else {
            withoutImprovement++;
            stoppedEarly = config.patience() > 0 && withoutImprovement >= config.patience();
        }
        run.log(Validation.ofTargets(step, likelihood, best));
        listener.validated(step, likelihood, best);
    }

    private TrainResult result(int step) {
        return new TrainResult(
                step,
                run.lastLoss(),
                bestLoss,
                run.tokensPerSecond(),
                run.place().map(RunDirectory::adapterIn),
                (step == total || stoppedEarly) && !toValidate);
    }
}
