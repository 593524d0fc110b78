package dev.prefix4j.task;

import dev.prefix4j.eval.Likelihood;
import dev.prefix4j.frozen.Conditioned;
import dev.prefix4j.method.InContext;
import dev.prefix4j.text.Example;
import dev.prefix4j.text.Sequence;
import dev.prefix4j.train.RunDirectory;
import dev.prefix4j.train.TrainResult;
import dev.prefix4j.train.Validation;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.Random;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;

/** The in-context method: a few examples, drawn with a seed, precede each source, and nothing is trained. */
public final class ContextRun {
    private final LanguageModel model;
    private final Engine engine;
    private final Encoding encoding;
    private final int examples;
    private final int[] ids;

    /**
     * Draws examples.
     *
     * @param count of examples, or all if there are fewer
     * @throws dev.prefix4j.InputException naming the row, if an example has no target or is too long for the model
     */
    public ContextRun(
            LanguageModel model, Engine engine, Encoding encoding, List<Example> training, int count, long seed) {
        this.model = model;
        this.engine = engine;
        this.encoding = encoding;
        model.fingerprint();
        List<Sequence> all = new ArrayList<>(encoding.sequences(training, model, Encoding.Taken.of(0)));
        Collections.shuffle(all, new Random(seed));
        this.examples = Math.min(count, all.size());
        this.ids = all.stream()
                .limit(count)
                .flatMapToInt(sequence -> Arrays.stream(sequence.ids()))
                .toArray();
    }

    /** The number of examples before each source. */
    public int examples() {
        return examples;
    }

    /** The number of their tokens. */
    public int tokens() {
        return ids.length;
    }

    /**
     * Writes the examples as an adapter, and scores validation data with it.
     *
     * @param validation may be empty
     * @param batchSize sequences scored together
     */
    public TrainResult write(RunDirectory run, List<Example> validation, int batchSize) {
        InContext method = new InContext(ids.length);
        Map<String, Tensor> kept = Map.of(
                InContext.TOKENS,
                model.base().ids(Arrays.stream(ids).asLongStream().toArray()).to(torch.ScalarType.Float));
        Conditioned conditioned = method.apply(model.base(), engine.freezer(), kept);
        OptionalDouble loss = OptionalDouble.empty();
        if (!validation.isEmpty()) {
            List<Sequence> sequences = encoding.sequences(validation, model, Encoding.Taken.of(conditioned.taken()));
            loss = OptionalDouble.of(
                    Likelihood.of(conditioned, sequences, batchSize).loss());
            run.log(Validation.untrained(loss.getAsDouble()));
        }
        TrainingRun.save(model, method, kept, run.adapter());
        return new TrainResult(
                0, OptionalDouble.empty(), loss, OptionalDouble.empty(), Optional.of(run.adapter()), true);
    }
}
