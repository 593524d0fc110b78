package dev.prefix4j.task;

import dev.prefix4j.InputException;
import dev.prefix4j.frozen.Conditioned;
import dev.prefix4j.frozen.FrozenModel;
import dev.prefix4j.method.AdapterFolder;
import dev.prefix4j.method.EngineTuning;
import dev.prefix4j.method.Method;
import dev.prefix4j.method.SoftPromptTuner;
import dev.prefix4j.method.Tuning;
import dev.prefix4j.model.BaseModel;
import dev.prefix4j.text.Example;
import dev.prefix4j.text.Sequence;
import dev.prefix4j.torch.TensorScope;
import dev.prefix4j.train.RunDirectory;
import dev.prefix4j.train.RunInMemory;
import dev.prefix4j.train.RunStore;
import dev.prefix4j.train.Sampler;
import dev.prefix4j.train.TrainConfig;
import dev.prefix4j.train.TrainListener;
import dev.prefix4j.train.TrainResult;
import dev.prefix4j.train.Trainer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.BooleanSupplier;
import java.util.function.IntConsumer;
import org.bytedeco.pytorch.NoGradGuard;
import org.bytedeco.pytorch.Tensor;

/**
 * Adapts a model to examples: trains a prefix, or the parameters of another method, in memory or in a run directory, where an
 * interrupted run can be resumed. Close it before its model.
 */
public final class TrainingRun implements AutoCloseable {
    private final LanguageModel model;
    private final Setup setup;
    private final TensorScope scope;
    private final TensorScope.Owner owner;
    private final Tuning tuning;
    private final List<Example> sampled;
    private final List<Sequence> training;
    private final List<Sequence> validation;
    private final Map<String, Tensor> kept = new LinkedHashMap<>(); // of a run in memory
    private Optional<Conditioned> teacher = Optional.empty();
    private IntConsumer whenRestored = _ -> {};

    /**
     * What is trained, and how.
     *
     * @param config steps, batch size, learning rate and so on
     * @param engine how the base computes during training
     * @param encoding of the examples
     */
    public record Setup(Method method, TrainConfig config, Engine engine, Encoding encoding) {
        /** In float32, with uncut sources. */
        public static Setup of(Method method, TrainConfig config) {
            return new Setup(method, config, Engine.FP32, Encoding.CLEAN);
        }
    }

    /**
     * Encodes the data and initializes the trained parameters randomly, with the configuration's seed.
     *
     * @param model changed by a method that trains the model's own weights
     * @param training pairs of sources and targets, at least one
     * @param validation may be empty: the last state is then kept instead of the best
     * @throws InputException naming the row, if an example has no target or is too long for the positions that the method leaves
     */
    public TrainingRun(LanguageModel model, Setup setup, List<Example> training, List<Example> validation) {
        this.model = model;
        this.setup = setup;
        this.sampled = validation.isEmpty() ? training : validation;
        model.fingerprint(); // before training changes it
        this.scope = new TensorScope();
        this.owner = TensorScope.owner();
        try {
            this.tuning = setup.method()
                    .tuning(
                            model.base(),
                            setup.engine().freezer(),
                            setup.config().seed());
            Encoding.Taken taken = Encoding.Taken.of(tuning.taken());
            this.training = setup.encoding().sequences(training, model, taken);
            this.validation = setup.encoding().sequences(validation, model, taken);
        } catch (RuntimeException e) {
            scope.close();
            throw e;
        }
    }

    /** The model that is adapted. */
    public LanguageModel model() {
        return model;
    }

    /** The number of trained parameters. */
    public long trainedParameters() {
        return setup.method().trainedNumbers(model.config());
    }

    /** The number of parameters that an adapter file stores. */
    public long keptParameters() {
        return setup.method().storedNumbers(model.config());
    }

    /** The number of training sequences: pairs of a source and one target. */
    public int sequences() {
        return training.size();
    }

    /** SHA-256 of the training data's ids, which does not depend on the file that they came from. */
    public String dataFingerprint() {
        try {
            MessageDigest digest = MessageDigest.getInstance("SHA-256");
            for (Sequence sequence : training) {
                digest.update(sequence.toString().getBytes(StandardCharsets.UTF_8));
            }
            return HexFormat.of().formatHex(digest.digest());
        } catch (NoSuchAlgorithmException e) {
            throw new AssertionError(e);
        }
    }

    /**
     * Initializes the virtual tokens with other than random values.
     *
     * @return the largest absolute difference between the requested and the actual initial values
     * @throws InputException if the method has no virtual tokens, or the adapter is of another method
     */
    public double startFrom(Initialization first) {
        if (!(tuning instanceof EngineTuning(SoftPromptTuner prompts, FrozenModel engine))) {
            throw new InputException("init %s: expected a method with virtual tokens".formatted(first.kind()));
        }
        try (TensorScope _ = new TensorScope()) {
            return prompts.start(FirstValues.of(first, prompts, engine, model));
        }
    }

    /**
     * Trains on the predictions of the model with another adapter instead of the targets (distillation).
     *
     * @param folder of the adapter
     * @param name as given by the user
     * @throws InputException if the folder holds no adapter of this model, or a sequence is too long with that adapter
     */
    public void learnFrom(Path folder, Path name) {
        BaseModel base = LanguageModel.read(
                model.folder(), model.base().device(), setup.engine().precision()); // a copy that is not trained
        AdapterFolder.Contents contents = AdapterFolder.load(folder, base.config(), base.device());
        Conditioned conditioned = contents.method().apply(base, setup.engine().freezer(), contents.tensors());
        int longest = training.stream()
                .mapToInt(sequence -> sequence.ids().length)
                .max()
                .orElse(0);
        try {
            base.requireRoom(conditioned.taken(), longest, 0);
        } catch (InputException e) {
            throw new InputException("--teacher %s: %s".formatted(name, e.getMessage()), e);
        }
        teacher = Optional.of(conditioned);
    }

    /** Sets an action, called with the total number of steps once the state to resume from has been read and checked. */
    public void whenRestored(IntConsumer action) {
        whenRestored = action;
    }

    /** Trains in memory, to the end. */
    public TrainResult train() {
        return train(new TrainListener() {}, () -> false);
    }

    /**
     * Trains in memory.
     *
     * @param stop asked after each step
     * @throws InputException if the loss is not finite
     */
    public TrainResult train(TrainListener listener, BooleanSupplier stop) {
        return train(new RunInMemory(), this::keep, Sampler.NONE, listener, stop);
    }

    /**
     * Trains in a run directory, from the run's current step to its end.
     *
     * @param run new, or that of an earlier run with the same data and setup
     * @param stop asked after each step; if true, the run stops and can be resumed
     * @throws InputException if the loss is not finite, or the directory cannot be written
     */
    public TrainResult train(RunDirectory run, TrainListener listener, BooleanSupplier stop) {
        Sampler sampler = new GreedySampler(model, sampled, setup.encoding(), tuning.taken());
        return train(run, () -> saveNow(run.adapter()), sampler, listener, stop);
    }

    private TrainResult train(
            RunStore run, Runnable saver, Sampler sampler, TrainListener listener, BooleanSupplier stop) {
        Trainer trainer = new Trainer(tuning, setup.config(), training, validation, run, saver);
        teacher.ifPresent(trainer::learnFrom);
        trainer.whenRestored(() -> whenRestored.accept(trainer.totalSteps()));
        return trainer.train(listener, sampler, stop);
    }

    private void saveNow(Path folder) {
        try (TensorScope _ = new TensorScope()) {
            save(model, setup.method(), tuning.stored(), folder);
        }
    }

    /** Copies the tensors that an adapter file would store, for {@link #adapted} and {@link #save}. */
    private void keep() {
        try (TensorScope step = new TensorScope();
                NoGradGuard _ = new NoGradGuard()) {
            tuning.stored().forEach((name, tensor) -> {
                if (kept.containsKey(name)) {
                    kept.get(name).copy_(tensor);
                } else {
                    kept.put(name, step.give(tensor.detach().clone(), owner));
                }
            });
        }
    }

    /** As {@link #adapted(AdaptedModel.Use)}, for decoding; it can be scored too. */
    public AdaptedModel adapted() {
        return adapted(AdaptedModel.Use.DECODING);
    }

    /**
     * The model with what a run in memory has learned: the best state by validation, or the last without validation.
     *
     * @return its tensors belong to the innermost open scope: this run's, or one opened later
     */
    public AdaptedModel adapted(AdaptedModel.Use use) {
        Conditioned conditioned =
                setup.method().apply(model.base(), AdaptedModel.freezer(setup.engine(), use), learned());
        return new AdaptedModel(model, conditioned, Optional.empty());
    }

    /** Writes what a run in memory has learned to a folder, like the {@code adapter} folder of a run directory. */
    public void save(Path folder) {
        save(model, setup.method(), learned(), folder);
    }

    private Map<String, Tensor> learned() {
        if (kept.isEmpty()) {
            throw new IllegalStateException("expected a run that has been trained in memory");
        }
        return kept;
    }

    /** Writes an adapter and the fingerprint of its base. */
    static void save(LanguageModel model, Method method, Map<String, Tensor> tensors, Path folder) {
        AdapterFolder.save(
                method,
                tensors,
                model.config(),
                folder,
                ModelName.base(model.name()),
                ModelName.revision(model.name()));
        model.fingerprint().write(folder);
    }

    @Override
    public void close() {
        scope.close();
    }
}
