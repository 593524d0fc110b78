package dev.prefix4j.pretrain;

import dev.prefix4j.eval.Likelihood;
import dev.prefix4j.eval.TextLikelihood;
import dev.prefix4j.model.BaseModel;
import dev.prefix4j.model.KvCache;
import dev.prefix4j.model.LmLoss;
import dev.prefix4j.model.gpt2.Gpt2;
import dev.prefix4j.text.RunningText;
import dev.prefix4j.torch.TensorScope;
import dev.prefix4j.train.AdamW;
import dev.prefix4j.train.RunStore;
import dev.prefix4j.train.TrainListener;
import dev.prefix4j.train.Training;
import dev.prefix4j.train.TrainingLoop;
import dev.prefix4j.train.Validation;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.BooleanSupplier;
import java.util.stream.IntStream;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch;
import org.jspecify.annotations.Nullable;

/**
 * Trains all weights of a GPT-2 on a {@link Mixture}: AdamW with weight decay on matrices only, linear warm-up and cosine
 * decay, gradient clipping (the recipe of GPT-3, Brown et al. 2020, appendix B).
 *
 * <p>What a step reads depends only on the seed and the step number. When a run limited by steps is resumed, it has the same
 * losses as an uninterrupted one; a run limited by minutes continues with the time that is left.
 */
public final class Pretrainer {
    private final Gpt2 model;
    private final PretrainConfig config;
    private final Mixture mixture;
    private final RunningText validation;
    private final RunStore run;
    private final Runnable saver;

    private double seconds;
    private @Nullable TextLikelihood last; // null: not validated yet

    /**
     * @param base a GPT-2 with weights that require gradients
     * @param validation empty: none
     * @param saver writes the model to the run's folder
     */
    public Pretrainer(
            BaseModel base,
            PretrainConfig config,
            Mixture mixture,
            RunningText validation,
            RunStore run,
            Runnable saver) {
        this.model = new Gpt2(base);
        this.config = config;
        this.mixture = mixture;
        this.validation = validation;
        this.run = run;
        this.saver = saver;
    }

    /**
     * Gives a new model initial weights with which it copies from its context ({@link CopyingStart}).
     *
     * @throws InputException if it has fewer than two layers or four heads
     */
    public static void startCopying(BaseModel model, TokenCorpus corpus) {
        CopyingStart.apply(new Gpt2(model), corpus);
    }

    /**
     * @param steps taken
     * @param seconds of training in total
     * @param validation of the last validation; null: there was none
     * @param finished whether the run is complete
     */
    public record Result(
            int steps, double seconds, @Nullable TextLikelihood validation, boolean finished) {}

    /**
     * Trains from the run's current state to its end.
     *
     * @param stop checked after each step; the run is then saved and can be resumed
     * @throws InputException if the loss is no longer a number, or the run directory cannot be written
     */
    public Result train(TrainListener listener, BooleanSupplier stop) {
        try (TensorScope _ = new TensorScope()) {
            TrainingLoop loop = new TrainingLoop(new Pretraining(), run, config.validateEvery(), config.saveEvery());
            loop.run(listener, stop);
            return new Result(loop.step(), seconds, last, share(loop.step()) >= 1);
        }
    }

    /** The share of the run that is over. */
    private double share(int step) {
        return config.steps() > 0 ? (double) step / config.steps() : seconds / (60 * config.minutes());
    }

    /** What the loop is given. */
    private final class Pretraining implements Training {
        private final Map<String, Tensor> state = new LinkedHashMap<>();
        private final List<AdamW> optimizers;
        private final Muon muon;

        Pretraining() {
            Map<String, Tensor> matrices = new LinkedHashMap<>();
            Map<String, Tensor> vectors = new LinkedHashMap<>();
            Map<String, Tensor> orthogonal = new LinkedHashMap<>();
            model.base().weights().forEach((name, weight) -> {
                boolean byMuon = config.muonLearningRate() > 0 && name.startsWith("h.");
                (weight.dim() < 2 ? vectors : byMuon ? orthogonal : matrices).put(name, weight);
                state.put("model." + name, weight);
            });
            optimizers = List.of(
                    new AdamW(matrices, config.beta2(), config.weightDecay()), new AdamW(vectors, config.beta2(), 0));
            muon = new Muon(orthogonal, config.weightDecay());
            optimizers.forEach(optimizer -> state.putAll(optimizer.state()));
            state.putAll(muon.state());
        }

        @Override
        public Map<String, Tensor> state() {
            return state;
        }

        @Override
        public Map<String, String> progress() {
            Map<String, String> progress = new LinkedHashMap<>();
            progress.put("seconds", Double.toString(seconds));
            if (last != null) {
                progress.put("valid_loss", Double.toString(last.loss()));
                progress.put("valid_tokens", Long.toString(last.tokens()));
                progress.put("valid_bits_per_byte", Double.toString(last.bitsPerByte()));
            }
            return progress;
        }

        @Override
        public void restore(int step, Map<String, String> progress) {
            seconds = Double.parseDouble(progress.getOrDefault("seconds", "0"));
            if (progress.containsKey("valid_loss")) {
                last = new TextLikelihood(
                        Double.parseDouble(progress.get("valid_loss")),
                        Long.parseLong(progress.getOrDefault("valid_tokens", "")),
                        Double.parseDouble(progress.getOrDefault("valid_bits_per_byte", "")));
            }
            if (!(seconds >= 0)) {
                throw run.damagedProgress();
            }
        }

        /** An estimate where time bounds the run. */
        @Override
        public int total(int step) {
            if (config.steps() > 0) {
                return config.steps();
            }
            return step == 0 ? 1 : (int) Math.max(step, Math.min(Integer.MAX_VALUE, step / Math.min(1, share(step))));
        }

        @Override
        public boolean isOver(int step) {
            return share(step) >= 1;
        }

        @Override
        public Outcome step(int step) {
            return takeStep(step, optimizers, muon);
        }

        @Override
        public void spent(double took) {
            seconds += took;
        }

        @Override
        public void look(int step, TrainListener listener, BooleanSupplier stop) {
            try (TensorScope _ = new TensorScope()) {
                if (validation.ids().length > 1) {
                    validate(step, listener);
                }
            }
        }

        @Override
        public void keep() {
            saver.run();
        }
    }

    private Training.Outcome takeStep(int step, List<AdamW> optimizers, Muon muon) {
        List<Row> rows = new ArrayList<>();
        for (int i = 0; i < config.rows(); i++) {
            rows.add(mixture.row((long) step * config.rows() + i));
        }
        long scored = rows.stream()
                .mapToLong(row -> IntStream.range(0, row.scored().length)
                        .filter(t -> row.scored()[t])
                        .count())
                .sum();
        double factor = config.schedule(step, share(step));
        double learningRate = config.learningRate() * factor;
        double loss = 0;
        double norm;
        int tokens = 0;
        try (TensorScope _ = new TensorScope()) {
            model.zero_grad(true);
            for (int from = 0; from < rows.size(); from += config.rowsAtOnce()) {
                List<Row> part = rows.subList(from, Math.min(from + config.rowsAtOnce(), rows.size()));
                try (TensorScope _ = new TensorScope()) {
                    Tensor share = loss(part).div(new Scalar((double) Math.max(1, scored)));
                    share.backward();
                    loss += share.item_double();
                }
                tokens += part.stream().mapToInt(row -> row.scored().length).sum();
            }
            TrainingLoop.requireFinite(loss, step, config.learningRate());
            TensorVector weights =
                    new TensorVector(model.base().weights().values().toArray(Tensor[]::new));
            norm = torch.clip_grad_norm_(weights, config.clip() > 0 ? config.clip() : Double.MAX_VALUE);
            optimizers.forEach(optimizer -> optimizer.step(learningRate));
            muon.step(config.muonLearningRate() * factor, learningRate);
        }
        return new Training.Outcome(loss, learningRate, norm, tokens);
    }

    /** Sum of the losses of the scored tokens. */
    private Tensor loss(List<Row> rows) {
        int length = rows.getFirst().scored().length;
        long[] ids = rows.stream()
                .flatMapToLong(row -> IntStream.range(0, length).mapToLong(t -> row.ids()[t]))
                .toArray();
        long[] positions = IntStream.range(0, rows.size() * length)
                .filter(i -> rows.get(i / length).scored()[i % length])
                .asLongStream()
                .toArray();
        long[] targets = java.util.Arrays.stream(positions)
                .map(i -> rows.get((int) (i / length)).ids()[(int) (i % length) + 1])
                .toArray();
        Tensor hidden = model.forward(
                model.base().ids(ids, rows.size()),
                KvCache.empty(model.base().config().layers())); // [B, T, E]
        return LmLoss.sum(
                model.base().head(),
                hidden,
                model.base().ids(positions),
                model.base().ids(targets));
    }

    private void validate(int step, TrainListener listener) {
        last = TextLikelihood.of(model.base(), validation.ids(), validation.bytes());
        run.log(Validation.ofText(step, last, mixture.epochs((long) step * config.rows())));
        listener.validated(step, new Likelihood(last.loss(), last.tokens()), false);
    }
}
