package dev.prefix4j.pretrain;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.prefix4j.InputException;
import dev.prefix4j.eval.Likelihood;
import dev.prefix4j.eval.TextLikelihood;
import dev.prefix4j.model.BaseModel;
import dev.prefix4j.model.KvCache;
import dev.prefix4j.model.LmLoss;
import dev.prefix4j.model.gpt2.Gpt2;
import dev.prefix4j.text.RunningText;
import dev.prefix4j.torch.TensorScope;
import dev.prefix4j.train.AdamW;
import dev.prefix4j.train.RunDirectory;
import dev.prefix4j.train.TrainListener;
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

/**
 * Trains all weights of a GPT-2 on a {@link Mixture}: AdamW with weight decay on matrices only, linear warm-up and cosine
 * decay, gradient clipping (the recipe of GPT-3, Brown et al. 2020, appendix B).
 *
 * <p>What a step reads depends only on the seed and the step number. When a run limited by steps is resumed, it has the same
 * losses as an uninterrupted one; a run limited by minutes continues with the time that is left.
 */
public final class Pretrainer {
    private static final ObjectMapper JSON = new ObjectMapper();

    private final Gpt2 model;
    private final PretrainConfig config;
    private final Mixture mixture;
    private final RunningText validation;
    private final RunDirectory run;
    private final Runnable saver;

    private int step;
    private double seconds;
    private TextLikelihood last;

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
            RunDirectory run,
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
    public record Result(int steps, double seconds, TextLikelihood validation, boolean finished) {}

    /**
     * Trains from the run's current state to its end.
     *
     * @param stop checked after each step; the run is then saved and can be resumed
     * @throws InputException if the loss is no longer a number, or the run directory cannot be written
     */
    public Result train(TrainListener listener, BooleanSupplier stop) {
        try (TensorScope _ = new TensorScope()) {
            Map<String, Tensor> matrices = new LinkedHashMap<>();
            Map<String, Tensor> vectors = new LinkedHashMap<>();
            Map<String, Tensor> orthogonal = new LinkedHashMap<>();
            model.base().weights().forEach((name, weight) -> {
                boolean muon = config.muonLearningRate() > 0 && name.startsWith("h.");
                (weight.dim() < 2 ? vectors : muon ? orthogonal : matrices).put(name, weight);
            });
            List<AdamW> optimizers = List.of(
                    new AdamW(matrices, config.beta2(), config.weightDecay()), new AdamW(vectors, config.beta2(), 0));
            Muon muon = new Muon(orthogonal, config.weightDecay());
            Map<String, Tensor> state = new LinkedHashMap<>();
            model.base().weights().forEach((name, weight) -> state.put("model." + name, weight));
            optimizers.forEach(optimizer -> state.putAll(optimizer.state()));
            state.putAll(muon.state());
            restore(run.loadState(state));
            run.keepLinesUpTo(step);
            listener.started(step, total());
            boolean stopped = false;
            while (progress() < 1 && !stopped) {
                takeStep(optimizers, muon, listener);
                boolean end = progress() >= 1;
                try (TensorScope _ = new TensorScope()) {
                    if (validation.ids().length > 1 && (end || step % config.validateEvery() == 0)) {
                        validate(listener);
                    }
                }
                stopped = stop.getAsBoolean();
                if (end || stopped || step % config.saveEvery() == 0) {
                    try (TensorScope _ = new TensorScope()) {
                        save(state); // a scope of its own, or the tensors of each save would stay in the run's scope
                    }
                }
            }
            return new Result(step, seconds, last, progress() >= 1);
        }
    }

    /** The completed fraction of the run. */
    private double progress() {
        return config.steps() > 0 ? (double) step / config.steps() : seconds / (60 * config.minutes());
    }

    /** Steps of the whole run; an estimate if time limits it. */
    private int total() {
        if (config.steps() > 0) {
            return config.steps();
        }
        return step == 0 ? 1 : (int) Math.max(step, Math.min(Integer.MAX_VALUE, step / Math.min(1, progress())));
    }

    private void takeStep(List<AdamW> optimizers, Muon muon, TrainListener listener) {
        long start = System.nanoTime();
        List<Row> rows = new ArrayList<>();
        for (int i = 0; i < config.rows(); i++) {
            rows.add(mixture.row((long) step * config.rows() + i));
        }
        long scored = rows.stream()
                .mapToLong(row -> IntStream.range(0, row.scored().length)
                        .filter(t -> row.scored()[t])
                        .count())
                .sum();
        double factor = config.schedule(step, progress());
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
            if (!Double.isFinite(loss)) {
                throw new InputException("the loss became %s in step %d: try a smaller --lr than %s"
                        .formatted(loss, step + 1, config.learningRate()));
            }
            TensorVector weights =
                    new TensorVector(model.base().weights().values().toArray(Tensor[]::new));
            norm = torch.clip_grad_norm_(weights, config.clip() > 0 ? config.clip() : Double.MAX_VALUE);
            optimizers.forEach(optimizer -> optimizer.step(learningRate));
            muon.step(config.muonLearningRate() * factor, learningRate);
        }
        step++;
        double took = (System.nanoTime() - start) * 1e-9;
        seconds += took;
        ObjectNode line = JSON.createObjectNode();
        line.put("step", step).put("loss", loss).put("lr", learningRate).put("grad_norm", norm);
        line.put("tokens", tokens).put("seconds", took);
        run.log(line);
        listener.stepped(new TrainListener.Step(step, total(), loss, learningRate, norm, tokens, took));
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

    private void validate(TrainListener listener) {
        last = TextLikelihood.of(model.base(), validation.ids(), validation.bytes());
        ObjectNode line = JSON.createObjectNode();
        line.put("step", step).put("valid_loss", last.loss()).put("valid_bits_per_byte", last.bitsPerByte());
        line.put("valid_tokens", last.tokens()).put("epochs", mixture.epochs((long) step * config.rows()));
        run.log(line);
        listener.validated(step, new Likelihood(last.loss(), last.tokens()), false);
    }

    private void save(Map<String, Tensor> state) {
        saver.run();
        Map<String, String> progress = new LinkedHashMap<>();
        progress.put("step", Integer.toString(step));
        progress.put("seconds", Double.toString(seconds));
        if (last != null) {
            progress.put("valid_loss", Double.toString(last.loss()));
            progress.put("valid_tokens", Long.toString(last.tokens()));
            progress.put("valid_bits_per_byte", Double.toString(last.bitsPerByte()));
        }
        run.saveState(state, progress);
    }

    private void restore(Map<String, String> progress) {
        if (progress.isEmpty()) {
            return;
        }
        try {
            step = Integer.parseInt(progress.getOrDefault("step", "0"));
            seconds = Double.parseDouble(progress.getOrDefault("seconds", "0"));
            if (progress.containsKey("valid_loss")) {
                last = new TextLikelihood(
                        Double.parseDouble(progress.get("valid_loss")),
                        Long.parseLong(progress.getOrDefault("valid_tokens", "")),
                        Double.parseDouble(progress.getOrDefault("valid_bits_per_byte", "")));
            }
        } catch (NumberFormatException e) {
            throw run.damagedProgress();
        }
        if (step < 0 || !(seconds >= 0)) {
            throw run.damagedProgress();
        }
    }
}
